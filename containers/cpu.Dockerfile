# syntax=docker/dockerfile:1
# An image for the CPU. From the repository's root:  docker build -f containers/cpu.Dockerfile -t pairvae .
# Run in a project's folder:  docker run --rm -it --user "$(id -u):$(id -g)" -v "$PWD:/project" pairvae repro
FROM python:3.11-slim AS wheel
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN pip install --no-cache-dir "hatchling>=1.25" && pip wheel --no-deps --no-build-isolation --wheel-dir /wheels .

FROM python:3.11-slim
# git: DVC and the commit of a run; libgl1, libglib2.0-0: OpenCV; libgomp1: PyTorch's threads
RUN apt-get update \
 && apt-get install --yes --no-install-recommends git libgl1 libglib2.0-0 libgomp1 \
 && rm -rf /var/lib/apt/lists/*
COPY requirements.lock /tmp/requirements.lock
RUN pip install --no-cache-dir --extra-index-url https://download.pytorch.org/whl/cpu --requirement /tmp/requirements.lock
COPY --from=wheel /wheels /wheels
RUN pip install --no-cache-dir --no-deps /wheels/*.whl && rm -r /wheels
# A user without a home of their own (--user) still needs places to write
ENV HOME=/tmp MPLCONFIGDIR=/tmp/matplotlib MLFLOW_DISABLE_TELEMETRY=true PYTHONUNBUFFERED=1
RUN git config --system --add safe.directory /project
WORKDIR /project
ENTRYPOINT ["pairvae"]
CMD ["--help"]
