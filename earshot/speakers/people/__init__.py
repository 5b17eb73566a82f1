"""People across the whole library: reads the tables, decides with earshot/speakers/voices, writes the results."""
