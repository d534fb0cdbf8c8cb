"""Node: the lifecycle around a mission, and the process around the node."""

# mypy: allow-untyped-calls
# rclpy says that it is typed; half of its methods are not.

from __future__ import annotations

from collections.abc import Callable
import os
import signal
import sys
import threading
import traceback
from types import FrameType
from typing import Any

from lifecycle_msgs.srv import ChangeState
import rclpy
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException
from rclpy.executors import SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.lifecycle import LifecycleNode
from rclpy.lifecycle import LifecycleState
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter as RosParameter
from rclpy.signals import SignalHandlerOptions
from selector.cards.card import Card
from selector.config import Config
from selector.errors import SelectorError
from selector.prediction import Model
from selector.ros.mission import open_mission
from selector.ros.parameters import Parameters
from selector.ros.running import Running
from selector.ros.running import SHADOW
from selector.ros.topic_model import TopicModel
from std_srvs.srv import SetBool

_RCLError = rclpy_implementation.RCLError
_DONE = TransitionCallbackReturn.SUCCESS
_FAILED = TransitionCallbackReturn.FAILURE
_SPIN_S = 0.1
_SWITCH_S = 0.0005


class SelectorNode(LifecycleNode):
    """Decides for every image whether the slow model is worth its price.

    Attributes:
        failure: why the last transition failed, None when it did not.
        running: the mission, None before configure and after cleanup.
        stuck: a model did not end when its mission did; its thread still runs.
    """

    def __init__(self, **options: Any) -> None:
        """Declare the parameters; `options` are those of `rclpy.node.Node`.

        Raises:
            ConfigError: a parameter is unknown or bad.
        """
        super().__init__('selector', **options)
        self.failure: SelectorError | None = None
        self.running: Running | None = None
        self.stuck = False
        self._author = 'parameter'
        try:
            self._settings = Parameters(self, self._adjust)
        except SelectorError:
            self.destroy_node()
            raise
        self.create_service(SetBool, '~/enable', self._enable)
        self._refuse_invalid_transitions()

    def start(self) -> int:
        """Configure and activate where the parameters say so; return the exit code so far."""
        if not self._settings.autostart:
            return 0
        if self.trigger_configure() == _DONE and self.trigger_activate() == _DONE:
            return 0
        return 1 if self.failure is None else self.failure.exit_code

    def finish(self) -> None:
        """Shut down from whatever state; the log is closed afterwards."""
        try:
            self.trigger_shutdown()
        except _RCLError:  # finalized already, or the context is gone and only the log is left
            self._attempt(self._end)

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load and measure the models and open the log."""
        return self._attempt(self._configure)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe."""
        return self._attempt(self._activate)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe and answer what waits; the log stays open."""
        return self._attempt(self._present().deactivate)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Close the log and let the models go."""
        return self._attempt(self._end)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Deactivate and clean up."""
        return self._attempt(self._end)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Clean up after an error that nobody expected; the node can be configured again."""
        return self._attempt(self._end)

    def _attempt(self, step: Callable[[], None]) -> TransitionCallbackReturn:
        """Run one transition; a mistake somebody can mend is one line, not a traceback."""
        self.failure = None
        try:
            step()
        except SelectorError as err:
            self.failure = err
            _say(str(err))
            return _FAILED
        except Exception:  # rclpy would swallow it without a word
            self.get_logger().error(traceback.format_exc())
            raise
        return _DONE

    def _configure(self) -> None:
        mission = open_mission(self._settings.config, self._from_topic)
        self.running = Running(self, mission, self._settings)

    def _from_topic(self, card: Card) -> Model:
        return TopicModel(card, self.context, self.get_namespace())

    def _activate(self) -> None:
        running = self._present()
        running.activate()
        _say(f'active, log in {running.folder}')

    def _end(self) -> None:
        running, self.running = self.running, None
        if running is not None:
            self.stuck = not running.end() or self.stuck

    def _present(self) -> Running:
        assert self.running is not None  # the state machine configures before anything else
        return self.running

    def _adjust(self, _config: Config, names: frozenset[str]) -> None:
        if self.running is not None:
            self.running.adjust(names, self._author)

    def _enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        """Set acting (true) or shadowing (false), as the parameter does, under its own name."""
        self._author = 'service enable'
        try:
            asked = RosParameter(SHADOW, RosParameter.Type.BOOL, not request.data)
            result = self.set_parameters([asked])[0]
        finally:
            self._author = 'parameter'
        response.success = result.successful
        response.message = result.reason or ('acting' if request.data else 'shadowing')
        return response

    def _refuse_invalid_transitions(self) -> None:
        """Answer a transition that the state does not allow with no success.

        rclpy before Kilted raises out of spin instead (ros2/rclpy#1209), and nobody answers.
        """
        service: Any = self._service_change_state
        inner = service.callback

        def guarded(
            request: ChangeState.Request, response: ChangeState.Response
        ) -> ChangeState.Response:
            try:
                return inner(request, response)
            except _RCLError as err:
                self.get_logger().warning(f'transition refused: {err}')
                response.success = False
                return response

        service.callback = guarded


def _say(text: str) -> None:
    print(f'selector: {text}', file=sys.stderr, flush=True)


def spin(executor: SingleThreadedExecutor, stop: threading.Event) -> None:
    """Run callbacks until `stop` is set or the context is shut down by somebody else."""
    while not stop.is_set():
        try:
            executor.spin_once(timeout_sec=_SPIN_S)
        except ExternalShutdownException:
            return
        except _RCLError as err:
            if not executor.context.ok():
                return
            _say(f'a callback failed and is skipped: {err}')


def main(argv: list[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM; return the exit code.

    rclpy's own signal handlers would shut the context down first, and what waits could not be
    answered any more: these only set a flag.
    """
    stop = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    # The image callback waits this long at most for a thread that runs a model's Python code.
    sys.setswitchinterval(_SWITCH_S)
    context = Context()
    node: SelectorNode | None = None
    try:
        rclpy.init(args=argv, context=context, signal_handler_options=SignalHandlerOptions.NO)
        node = SelectorNode(context=context)
        code = _run(node, context, stop)
    except SelectorError as err:
        _say(str(err))
        code = err.exit_code
    except (_RCLError, rclpy_implementation.RCLInvalidROSArgsError) as err:
        _say(' '.join(str(err).split()))
        code = 0 if stop.is_set() else 2
    finally:
        context.try_shutdown()
    if node is not None and node.stuck:
        # The thread of a hung model would be torn down in the middle of foreign code and abort.
        sys.stdout.flush()
        os._exit(code)
    return code


def _run(node: SelectorNode, context: Context, stop: threading.Event) -> int:
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    try:
        code = node.start()
        if code == 0:
            spin(executor, stop)
    finally:
        node.finish()
        executor.shutdown()
        node.destroy_node()
    return code


if __name__ == '__main__':
    sys.exit(main())
