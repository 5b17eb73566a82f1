"""Who is who over the whole library: reads, decides with earshot/speakers/voices, writes."""
