"""Ask a scan three questions: who owns what, which directories are largest, what is oldest."""

from __future__ import annotations

import sys

import duckdb

QUESTIONS = {
    "Bytes by owner, and how much of it changed in the last 7 days": """
        SELECT uid,
               count(*) AS files,
               sum(size) AS bytes,
               sum(size) FILTER (WHERE mtime > now() - INTERVAL 7 DAY) AS bytes_last_7_days
        FROM scan WHERE file_count = -1
        GROUP BY uid ORDER BY bytes DESC LIMIT 5
    """,
    "The largest directories, by what lies directly in them": """
        SELECT filename, file_count AS names, dir_sum AS bytes
        FROM scan WHERE file_count >= 0
        ORDER BY dir_sum DESC LIMIT 5
    """,
    "The oldest data, by year of the last change": """
        SELECT year(mtime) AS year, count(*) AS files, sum(size) AS bytes
        FROM scan WHERE file_count = -1
        GROUP BY year ORDER BY year LIMIT 5
    """,
}


def main() -> None:
    """Print the answers."""
    duckdb.sql(f"CREATE VIEW scan AS FROM read_parquet('{sys.argv[1]}')")
    for question, query in QUESTIONS.items():
        print(f"\n{question}")
        print(duckdb.sql(query))


if __name__ == "__main__":
    main()
