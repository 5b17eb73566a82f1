"""Corrections of words: what users say was said. Those of speakers are in earshot/speakers/corrections."""
