"""What the benchmarks share: streams of frames, figures of merit and the chart of the results."""
