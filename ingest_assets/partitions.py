"""One partition per video. The key is the video's id in table `videos`, which holds everything else about it."""

from dagster import DynamicPartitionsDefinition

videos = DynamicPartitionsDefinition(name="videos")
