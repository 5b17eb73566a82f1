"""YouTube's own addresses: which URLs are channels and playlists, and where a channel's feed and uploads are."""

import pytest

from earshot.sources.kinds.youtube import Feed, channel_id, feed_of, is_channel, is_youtube, watch_url

ID = "UC_x5XG1OV2P6uZZ5FSM9Ttw"


@pytest.mark.parametrize(
    "url",
    [
        "https://www.youtube.com/@GoogleDevelopers",
        "https://youtube.com/@GoogleDevelopers",
        "http://m.youtube.com/@GoogleDevelopers",
        "https://music.youtube.com/channel/UC_x5XG1OV2P6uZZ5FSM9Ttw",
        "https://WWW.YouTube.COM/@GoogleDevelopers",
        "https://www.youtube.com/@GoogleDevelopers/",
        "https://www.youtube.com/@GoogleDevelopers?sub_confirmation=1",
        "https://www.youtube.com/@GoogleDevelopers/videos",
        "https://www.youtube.com/@GoogleDevelopers/featured",
        "https://www.youtube.com/@%E6%97%A5%E6%9C%AC",
        "https://www.youtube.com/@日本",
        f"https://www.youtube.com/channel/{ID}",
        f"https://www.youtube.com/channel/{ID}/videos",
        f"https://www.youtube.com/channel/{ID}/videos?view=0&sort=dd",
        "https://www.youtube.com/c/GoogleDevelopers",
        "https://www.youtube.com/c/GoogleDevelopers/videos",
        "https://www.youtube.com/user/GoogleDevelopers",
        "https://www.youtube.com:443/user/GoogleDevelopers/videos",
    ],
)
def test_channel_url_is_recognised(url: str) -> None:
    assert is_channel(url)
    assert is_youtube(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://www.youtube.com/",
        "https://www.youtube.com",
        watch_url("dQw4w9WgXcQ"),
        "https://www.youtube.com/watch?v=dQw4w9WgXcQ&list=PLillGF-RfqbY3c2r0htQyVbDJJoBFE6Rb",
        "https://www.youtube.com/playlist?list=PLillGF-RfqbY3c2r0htQyVbDJJoBFE6Rb",
        "https://www.youtube.com/shorts/dQw4w9WgXcQ",
        "https://www.youtube.com/live/dQw4w9WgXcQ",
        "https://www.youtube.com/embed/dQw4w9WgXcQ",
        f"https://www.youtube.com/feeds/videos.xml?channel_id={ID}",
        "https://www.youtube.com/@GoogleDevelopers/playlists",
        "https://www.youtube.com/@GoogleDevelopers/streams/",
        "https://www.youtube.com/@GoogleDevelopers/shorts",
        "https://www.youtube.com/@GoogleDevelopers/search?query=talk",
        "https://www.youtube.com/@",
        "https://www.youtube.com/channel/",
        "https://youtu.be/dQw4w9WgXcQ",
    ],
)
def test_other_youtube_url_is_no_channel(url: str) -> None:
    assert is_youtube(url)
    assert not is_channel(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://notyoutube.com/@name",
        "https://youtube.com.evil.example/@name",
        "https://www.youtube.com.evil.example/channel/UC_x5XG1OV2P6uZZ5FSM9Ttw",
        "https://youtube.com@evil.example/@name",
        "https://evil.example/www.youtube.com/@name",
        "https://evil.example/?u=https://www.youtube.com/@name",
        "https://evil.example#https://www.youtube.com/@name",
        "https://youtube.community/@name",
        "https://youtube/@name",
        "https://mastodon.example/@name",
        "/home/me/youtube.com/@name",
        "@name",
    ],
)
def test_lookalike_host_is_not_youtube(url: str) -> None:
    assert not is_youtube(url)
    assert not is_channel(url)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (f"https://www.youtube.com/channel/{ID}", ID),
        (f"https://m.youtube.com/channel/{ID}/videos?view=0", ID),
        (f"https://www.youtube.com/channel/{ID}x", None),
        (f"https://www.youtube.com/channel/{ID[:-1]}", None),
        (f"https://www.youtube.com/channel/HC{ID[2:]}", None),
        (f"https://www.youtube.com/c/{ID}", None),
        ("https://www.youtube.com/@GoogleDevelopers", None),
    ],
)
def test_channel_id_is_read_from_url(url: str, expected: str | None) -> None:
    assert channel_id(url) == expected


def test_feed_and_uploads_of_channel() -> None:
    assert feed_of(ID) == Feed(
        feed="https://www.youtube.com/feeds/videos.xml?channel_id=UC_x5XG1OV2P6uZZ5FSM9Ttw",
        uploads="https://www.youtube.com/playlist?list=UU_x5XG1OV2P6uZZ5FSM9Ttw",
    )


def test_only_prefix_of_channel_id_is_replaced() -> None:
    assert feed_of("UCUCUCUCUCUCUCUCUCUCUCUC").uploads.endswith("?list=UUUCUCUCUCUCUCUCUCUCUCUC")
