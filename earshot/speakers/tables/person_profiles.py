"""Profiles of people as the last identification computed them: table `person_profiles`.

Only asset `people` writes it. Pages compare voices with it, without reading all samples again.
"""

from earshot.speakers.tables.voice_space import VoiceSpace
from earshot.speakers.voices.cosine import STEPS
from earshot.speakers.voices.profiles import Profiles
from earshot.storage.database import Connection


def write_profiles(connection: Connection, space: VoiceSpace, profiles: Profiles) -> None:
    """Replace all profiles; rows that are the same stay. Part of the caller's transaction."""
    people = profiles.people.tolist()
    connection.execute("DELETE FROM person_profiles WHERE person_id <> ALL(%s)", [people])
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO person_profiles AS p (person_id, model, model_revision, preparation, embedding)
            SELECT person_id, %(model)s, %(model_revision)s, %(preparation)s, %(vector)s FROM people
            WHERE person_id = %(person)s
            ON CONFLICT (person_id) DO UPDATE SET model = excluded.model, model_revision = excluded.model_revision,
                preparation = excluded.preparation, embedding = excluded.embedding
            WHERE (p.model, p.model_revision, p.preparation, p.embedding)
                IS DISTINCT FROM (excluded.model, excluded.model_revision, excluded.preparation, excluded.embedding)
            """,
            [
                {**space.columns, "person": person, "vector": vector / STEPS}
                for person, vector in zip(people, profiles.vectors, strict=True)
            ],
        )
