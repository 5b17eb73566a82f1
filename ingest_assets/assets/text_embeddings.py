"""Asset `text_embeddings`: who said what, in passages that can be found by meaning.

Words are given to the speakers of the turns, cut into passages at sentence ends and changes of speaker, each within the text
model's window, and embedded. Table `passages`; its `local_speaker` is whose sentences they are
(earshot/transcripts/word_speakers.py). Passages of another text model stay beside them; ingest_assets/assets/search_index.py
says which one is searched.
"""

from dagster import AssetExecutionContext, MaterializeResult

from earshot.transcripts.passages import Limits, cut_passages
from earshot.transcripts.search.text_models import register_text_model
from earshot.transcripts.word_speakers import attribute_words, sentence_speakers
from ingest_assets.stages.outputs import content_digest
from ingest_assets.stages.stage import stage
from ingest_assets.stages.video_asset import video_asset
from resources.database import DatabaseResource
from resources.gpu import GpuResource
from resources.models import ModelsResource

# Long enough to answer a question on its own, short enough that a hit points at the sentence that was meant.
PASSAGE_S = 20.0


@video_asset(
    kinds={"huggingface", "postgres"},
    description="Passages of one speaker, cut at sentences, with their vectors: what search reads.",
)
def text_embeddings(
    context: AssetExecutionContext, database: DatabaseResource, gpu: GpuResource, models: ModelsResource
) -> MaterializeResult:
    with stage(context, database) as at_work:
        if at_work.is_current:
            return at_work.reuse()
        encoder = at_work.load(gpu, models.open().passage_encoder)
        register_text_model(at_work.database, models.open().model_set().text)
        words, transcripts = at_work.rows("words", "word_index"), at_work.rows("transcripts", "video_id")
        exclusive, turns = at_work.rows("exclusive_turns", "turn_index"), at_work.rows("turns", "turn_index")
        with at_work.measurement.computing():
            limits = Limits(seconds=PASSAGE_S, weight=encoder.window)
            speakers = sentence_speakers(words, attribute_words(words, exclusive, turns))
            passages = cut_passages(words, speakers, encoder.token_counts(words.text.tolist()), limits)
            vectors = encoder.encode(passages.text.tolist(), at_work.measurement.tally)
        execution = encoder.execution
        of_model = {"model": execution.model, "model_revision": execution.model_revision}
        language = transcripts.language.iloc[0] or ""
        at_work.replace({"passages": passages.assign(language=language, embedding=list(vectors), **of_model)}, of_model)
        return at_work.finish(
            execution,
            at_work.video.duration_s or 0.0,
            items=len(passages),
            floors=models.open().model_set().text.floors,
            content=content_digest(passages[["start_s", "end_s", "local_speaker", "text"]]),
            words=str(len(words)),
        )
