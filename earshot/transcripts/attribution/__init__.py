"""Attribution: who says each word, and by which name."""
