"""Parts of pictures at four times their size, to look at."""
