# syntax=docker/dockerfile:1
# A tag with a digest (python:3.13-slim-bookworm@sha256:…) pins the base image, too.
ARG PYTHON_IMAGE=python:3.13-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/flagman && python -m venv /opt/build
WORKDIR /src
COPY requirements/base.txt requirements/build.txt requirements/
RUN /opt/flagman/bin/pip install --require-hashes -r requirements/base.txt
RUN /opt/build/bin/pip install --require-hashes -r requirements/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY storage/ storage/
COPY supervisor/ supervisor/
COPY handlers/ handlers/
COPY bot/ bot/
COPY flagman/ flagman/
COPY docs/slack-app.yaml docs/
RUN /opt/build/bin/python -m hatchling build -t wheel -d /wheels
RUN /opt/flagman/bin/pip install --no-deps --no-index /wheels/flagman-*.whl

FROM ${PYTHON_IMAGE}
RUN groupadd --gid 10001 flagman \
    && useradd --uid 10001 --gid flagman --home-dir /data --no-create-home --shell /usr/sbin/nologin flagman \
    && install -d -o flagman -g flagman -m 0700 /data
COPY --from=build /opt/flagman /opt/flagman
ENV PATH=/opt/flagman/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    FLAGMAN_HOST=0.0.0.0 PORT=8080 FLAGMAN_DATA=/data
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8080
# Of a process with HTTP (serve, web); a worker and the clock have their own, by FLAGMAN_HEARTBEAT.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f\"http://127.0.0.1:{os.environ['PORT']}/readyz\", timeout=4)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["flagman"]
CMD ["serve"]
