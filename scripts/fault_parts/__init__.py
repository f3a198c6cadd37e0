"""Parts of `scripts/faults`: a system under test, accidents by seed, and the comparison."""
