# Scout in a container: `make docker_build`, `make docker_start`.
#   FLAVOR=cpu   torch's CPU build (a small image)
#   FLAVOR=cuda  torch with its CUDA libraries; the host gives the driver (--gpus all)
# Debian's release is named, so that a build of tomorrow stands on what was tried.
ARG PYTHON_VERSION=3.11

# Stage 1 builds the packages; g++ is for nes-py alone and does not reach the final image.
FROM python:${PYTHON_VERSION}-slim-trixie AS packages
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends g++ \
    && rm -rf /var/lib/apt/lists/*
RUN python -m venv /opt/scout
ENV PATH=/opt/scout/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build

# torch is the largest layer and changes least: it comes first.
ARG FLAVOR=cpu
COPY requirements.lock ./
RUN case "$FLAVOR" in \
      cpu) pip install --no-deps --index-url https://download.pytorch.org/whl/cpu -c requirements.lock torch ;; \
      cuda) pip install --no-deps -c requirements.lock torch ;; \
      *) echo "FLAVOR is cpu or cuda, not '$FLAVOR'" >&2; exit 2 ;; \
    esac

# The headless twin of opencv-python needs no libGL and no X libraries.
COPY requirements.txt requirements-mario.txt ./
RUN sed -i 's/^opencv-python>/opencv-python-headless>/' requirements.txt \
    && pip install -r requirements.txt -c requirements.lock \
    && pip install --no-deps -r requirements-mario.txt -c requirements.lock \
    && pip install -c requirements.lock torch-tb-profiler==0.4.3

# Stage 2 is what runs.
FROM python:${PYTHON_VERSION}-slim-trixie
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends make \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 1000 scout \
    && useradd --uid 1000 --gid scout --create-home scout \
    && mkdir -p /scout/logs /scout/checkpoints /scout/exports \
    && chown -R scout:scout /scout \
    && chmod 1777 /scout
COPY --from=packages /opt/scout /opt/scout
# docker_start may run as another user than 1000: HOME and /scout are writable for all, USER names
# somebody; the packages are for nobody to change, so the profile tab of TensorBoard is among them.
# TensorBoard listens to the container's network; docker_start publishes its port on localhost alone.
# The last two are torchrun's: so that lost ranks can join again, and a stopped run has time to save.
ENV PATH=/opt/scout/bin:$PATH VENV=none HOME=/tmp USER=scout PYTHONUNBUFFERED=1 \
    TENSORBOARD_HOST=0.0.0.0 \
    TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 TORCH_ELASTIC_SHUTDOWN_TIMEOUT=300
WORKDIR /scout
COPY --chown=scout:scout . .
USER 1000:1000
CMD ["bash"]
