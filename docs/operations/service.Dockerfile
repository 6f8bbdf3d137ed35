# The image of the service, built from a bento: `bentoml build`, then `bentoml containerize touchstone:latest`.
# It answers and computes no features: no compiler, git, pandas, DuckDB or MLflow is in it.
#
# A tag can come to name another image, a digest cannot. Look it up once, and give it to every build:
#   bentoml containerize touchstone:latest --opt build-arg=BASE_IMAGE=docker.io/library/python:3.11-slim-bookworm@sha256:...
ARG BASE_IMAGE=docker.io/library/python:3.11-slim-bookworm

FROM ${BASE_IMAGE} AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/*
COPY env/python/requirements.txt /build/requirements.txt
# Every package comes as a wheel of the hash that the lock file names: nothing is compiled.
RUN python3 -m venv --without-pip /app/.venv \
    && python3 -m pip --python /app/.venv/bin/python install --quiet --no-cache-dir --disable-pip-version-check \
        --require-hashes --only-binary :all: --requirement /build/requirements.txt
COPY . /app/bento
# numba knows a source by path and time; the time has whole seconds only, since the layers of an image keep no more.
RUN find /app/bento/src -name '*.py' -exec touch --date=@0 {} + \
    && cd /app/bento/src \
    && NUMBA_CACHE_DIR=/app/numba /app/.venv/bin/python -m serving.compile_kernels \
    && /app/.venv/bin/python -m compileall -q /app/bento/src

FROM ${BASE_IMAGE}
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 1034 touchstone \
    && useradd --uid 1034 --gid touchstone --no-create-home --home-dir /workspace touchstone \
    && mkdir /workspace \
    && chown touchstone:touchstone /workspace
COPY --from=build /app/.venv /app/.venv
COPY --from=build /app/bento /app/bento
# Another kind of processor than that of the build compiles its kernels at the first start, and keeps them here.
COPY --from=build --chown=touchstone:touchstone /app/numba /app/numba
ENV PATH=/app/.venv/bin:${PATH} \
    PYTHONUNBUFFERED=1 \
    NUMBA_CACHE_DIR=/app/numba \
    TOUCHSTONE_HOME=/workspace \
    BENTOML_HOME=/workspace/service/3000 \
    BENTOML_DO_NOT_TRACK=True
WORKDIR /app/bento
USER touchstone
VOLUME /workspace
EXPOSE 3000
STOPSIGNAL SIGTERM
# Ready are those that hold verified scores: before the first night this says unhealthy, and so it is.
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:3000/readyz', timeout=4)"]
ENTRYPOINT ["bentoml", "serve", "/app/bento", "--host", "0.0.0.0", "--port", "3000"]
