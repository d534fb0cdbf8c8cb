"""Networks of torch: their files, weights and devices."""
