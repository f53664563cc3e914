# Both commands on Debian 12, without a compiler.
#
#     docker build --tag filetree .
#     docker run --rm -v /data:/data:ro -v "$PWD:/out" --user "$(id -u):$(id -g)" filetree \
#         pwalk report /data --output /out/scan.parquet
#     docker run --rm -v /backup:/a:ro -v /data:/b:ro filetree komparu /a /b
#
# What is only looked at should be mounted read-only (:ro). Who runs it decides what can be looked at:
# by default a user that owns nothing; with --user 0 everything. A repair needs root and a tree that
# can be written to, and keeps its journal outside:
#
#     docker run --rm --user 0 -v /srv/project:/data -v "$PWD:/out" filetree \
#         pwalk repair /data --apply --journal /out/repair.jsonl
#
# Its audit trail reaches the system's log with -v /dev/log:/dev/log. For a long report use --init,
# so that `docker stop` interrupts it, and give it a disk for what waits: -e TMPDIR=/out.

FROM debian:12.12-slim AS build
WORKDIR /src
COPY . .
# Debian keeps only the latest version of a package, so none can be named.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends make \
    && make .venv/.created \
    && rm -rf /var/lib/apt/lists/*
RUN .venv/bin/pip wheel --no-cache-dir --no-build-isolation --no-deps --wheel-dir /wheels . \
    && python3 -m venv --without-pip /opt/filetree \
    && .venv/bin/pip --python /opt/filetree/bin/python install --no-cache-dir /wheels/*.whl

FROM debian:12.12-slim
LABEL org.opencontainers.image.title="filetree" \
      org.opencontainers.image.description="Know what is on a file system, and whether two of them agree: pwalk and komparu" \
      org.opencontainers.image.licenses="MIT"
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        ca-certificates libarchive13 libcurl4 libssl3 libzstd1 python3 zlib1g \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/filetree /opt/filetree
RUN useradd --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin filetree
ENV PATH=/opt/filetree/bin:$PATH
USER 10001:10001
WORKDIR /tmp
ENTRYPOINT ["env", "--"]
CMD ["pwalk", "--help"]
