"""Another modality: a task for speech, whose loss is the word error rate."""

from selector.evidence import Evidence
from selector.prediction import Prediction
from selector.task import TaskSpec
from selector.tasks.known import register
from selector.tasks.known import task_named


def edits(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    """Return the least number of words inserted, deleted or replaced."""
    row = list(range(len(other) + 1))
    for i, word in enumerate(one, 1):
        corner, row[0] = row[0], i
        for j, heard in enumerate(other, 1):
            corner, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, corner + (word != heard))
    return row[-1]


class Transcription:
    """A sentence: `content` is its words, `scores` how sure the model is of each."""

    name = 'transcription'

    def check(self, answer):
        """Nothing to refuse here; a product would check types and lengths."""

    check_truth = check

    def evidence(self, answer):
        """Confidence: that every word is right; margin: the least sure word."""
        sure, least = 1.0, min(answer.scores, default=1.0)
        for score in answer.scores:
            sure *= score
        return Evidence(sure, least, 1.0 - least)

    def classes(self, answer):
        """Words are no classes of a table of stakes."""
        return ()

    def disagreement(self, one, other):
        """Edits d as 2 d / (n + m + d): a metric in [0, 1], as the decision needs."""
        d = edits(one.content, other.content)
        return 2.0 * d / (len(one.content) + len(other.content) + d) if d else 0.0

    def loss(self, answer, truth):
        """Word error rate, clipped at 1."""
        return min(1.0, edits(answer.content, truth.content) / max(1, len(truth.content)))

    def likeness(self, one, other):
        """Belief that both are the same utterance."""
        return 1.0 - self.disagreement(one, other)

    def bare(self, answer):
        """All of it is needed for a label that comes late."""
        return answer


if __name__ == '__main__':
    register('transcription', lambda spec: Transcription())
    task = task_named('transcription', TaskSpec())
    fast, slow, truth = (
        Prediction(model, (0.9,) * len(words.split()), -1, 0.0, tuple(words.split()))
        for model, words in (
            ('fast', 'go to the chicken'),
            ('slow', 'go to the kitchen'),
            ('', 'go to the kitchen'),
        )
    )
    print(f'disagreement {task.disagreement(fast, slow):.3f}, {task.evidence(fast)}')
    print(f'word error rate: fast {task.loss(fast, truth):.2f}, slow {task.loss(slow, truth):.2f}')
