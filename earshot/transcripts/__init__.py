"""Words, who said them, and the passages made of them."""
