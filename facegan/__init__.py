"""The plumbing the scripts share. What changes the science stands in the scripts themselves."""
