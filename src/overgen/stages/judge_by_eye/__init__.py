"""What people see in the images that fooled."""
