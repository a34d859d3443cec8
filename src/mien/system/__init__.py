"""What differs between Linux, macOS and Windows: locks, owners of files, ways to open them."""
