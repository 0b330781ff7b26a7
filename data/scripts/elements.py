"""The elements that every table of this project holds: those of tissue, of common phantom plastics, and iodine."""

SUPPORTED = (1, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 26, 30, 53)
