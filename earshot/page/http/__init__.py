"""What all requests share: access, confirmation, ETags, errors and the library."""
