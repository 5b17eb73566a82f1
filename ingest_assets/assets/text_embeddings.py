"""Asset `text_embeddings`: each speaker's words in passages that can be searched by meaning. Table `passages`.

Words are assigned to the speakers of the turns (earshot/transcripts/attribution/word_speakers.py), corrected as users said
(earshot/transcripts/corrections), cut into passages at sentence ends and speaker changes, each within the text model's window,
and embedded. They replace the video's captions, if it was searched by any. Passages of another text model stay beside them;
ingest_assets/assets/search_index.py decides which model is searched.
"""

import pandas as pd
from dagster import AssetExecutionContext, MaterializeResult

from earshot.models.measurement import IoPlace
from earshot.transcripts.attribution.word_speakers import attribute_words, sentence_speakers
from earshot.transcripts.corrections.corrected_words import correct_words
from earshot.transcripts.corrections.passage_words import among_all
from earshot.transcripts.corrections.word_corrections import follow_corrections, read_corrections
from earshot.transcripts.passages import PASSAGE_S, Limits, cut_passages
from earshot.transcripts.previews import excerpt
from earshot.transcripts.search.text_models import register_text_model
from ingest_assets.stages.outputs import content_digest
from ingest_assets.stages.stage import stage
from ingest_assets.stages.video_asset import video_asset
from resources.database import DatabaseResource
from resources.gpu import GpuResource
from resources.models import ModelsResource


@video_asset(
    kinds={"huggingface", "postgres"},
    description="The words of each video in passages that can be searched by meaning.\n\n"
    "One row of `passages` is up to 20 s of one speaker, cut at ends of sentences, with the vector that search compares.",
)
def text_embeddings(
    context: AssetExecutionContext, database: DatabaseResource, gpu: GpuResource, models: ModelsResource
) -> MaterializeResult:
    with stage(context, database) as run:
        if run.is_current:
            return run.reuse()
        encoder = run.load(gpu, models.open().passage_encoder)
        with run.measurement.reading_writing(IoPlace.DATABASE):
            register_text_model(run.database, models.open().model_set().text)
            corrections = read_corrections(run.database, run.video.video_id)
        heard, transcripts = run.rows("words", "word_index"), run.rows("transcripts", "video_id")
        exclusive, turns = run.rows("exclusive_turns", "turn_index"), run.rows("turns", "turn_index")
        with run.measurement.computing():
            limits = Limits(seconds=PASSAGE_S, weight=encoder.window)
            words = correct_words(heard, corrections).assign(local_speaker=_labels(heard, exclusive, turns))
            said = (words.text != "").to_numpy(dtype=bool)
            words = words[said].reset_index(drop=True)
            speakers = sentence_speakers(words, words.local_speaker.tolist())
            passages = cut_passages(words, speakers, encoder.token_counts(words.text.tolist()), limits)
            vectors = encoder.encode(passages.text.tolist(), run.measurement.tally)
        execution = encoder.execution
        of_model = {"model": execution.model, "model_revision": execution.model_revision}
        language = transcripts.language.iloc[0] or ""
        rows = among_all(passages, said).assign(language=language, embedding=list(vectors), **of_model)
        run.replace({"captions": pd.DataFrame(), "passages": rows}, of_model)  # they end as its own passages begin
        with run.measurement.reading_writing(IoPlace.DATABASE):
            follow_corrections(run.database, run.video.video_id, corrections)
        return run.finish(
            execution,
            run.video.duration_s or 0.0,
            items=len(passages),
            floors=models.open().model_set().text.floors,
            content=content_digest(passages[["start_s", "end_s", "local_speaker", "text"]]),
            word_corrections=[correction.number for correction in corrections],
            excerpt=excerpt(passages, run.video.url),
            words=len(words),
        )


def _labels(words: pd.DataFrame, exclusive_turns: pd.DataFrame, turns: pd.DataFrame) -> pd.Series:
    """The local speaker of each word."""
    return pd.Series(attribute_words(words, exclusive_turns, turns), dtype=object)  # dtype object: None stays None
