# Built in the full image, as some platforms compile; run in the slim one, without a compiler.
FROM python:3.12-bookworm AS build
WORKDIR /build
RUN python -m venv /venv
COPY requirements.lock pyproject.toml README.md LICENSE ./
COPY stream stream
COPY models models
RUN /venv/bin/pip install --no-cache-dir --constraint requirements.lock '.[collect,dashboard]'

FROM python:3.12-slim-bookworm
COPY --from=build /venv /venv
COPY deploy/healthy.py deploy/make_secrets.py /deploy/
RUN useradd --system --uid 10001 --create-home agos && install -d -o agos -m 700 /run/secrets
USER 10001
WORKDIR /home/agos
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1
HEALTHCHECK --interval=15s --timeout=10s --start-period=60s --retries=4 CMD ["python", "/deploy/healthy.py"]
ENTRYPOINT ["agos"]
CMD ["worker"]
