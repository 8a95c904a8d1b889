# syntax=docker/dockerfile:1
# An image for NVIDIA GPUs. The CUDA libraries come with PyTorch's wheels; the host needs the driver and the container toolkit.
# From the repository's root:  docker build -f containers/cuda.Dockerfile -t pairvae:cuda .
# Run in a project's folder:   docker run --rm -it --gpus all --shm-size 2g -v "$PWD:/project" pairvae:cuda repro --set preset=gpu
FROM python:3.11-slim AS wheel
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN pip install --no-cache-dir "hatchling>=1.25" && pip wheel --no-deps --no-build-isolation --wheel-dir /wheels .

FROM python:3.11-slim
ARG CUDA=cu128
RUN apt-get update \
 && apt-get install --yes --no-install-recommends git libgl1 libglib2.0-0 libgomp1 \
 && rm -rf /var/lib/apt/lists/*
COPY requirements.lock /tmp/requirements.lock
# The same version of PyTorch as in the lock, built for CUDA; all else as locked
RUN torch="$(grep '^torch==' /tmp/requirements.lock)" \
 && pip install --no-cache-dir --index-url "https://download.pytorch.org/whl/${CUDA}" --extra-index-url https://pypi.org/simple "${torch}+${CUDA}" \
 && grep -v '^torch==' /tmp/requirements.lock > /tmp/others.lock \
 && pip install --no-cache-dir --requirement /tmp/others.lock
COPY --from=wheel /wheels /wheels
RUN pip install --no-cache-dir --no-deps /wheels/*.whl && rm -r /wheels
ENV HOME=/tmp MPLCONFIGDIR=/tmp/matplotlib MLFLOW_DISABLE_TELEMETRY=true PYTHONUNBUFFERED=1
RUN git config --system --add safe.directory /project
WORKDIR /project
ENTRYPOINT ["pairvae"]
CMD ["--help"]
