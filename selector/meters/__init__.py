"""Energy meters: one file each; every one counts joules and says what it covers."""
