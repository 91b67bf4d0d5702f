# The image of notify-bridge: `docker build -t notify-bridge .`
#
# Both bases can be swapped: --build-arg BUILD_IMAGE=… --build-arg RUN_IMAGE=…
# They must have the same Swift version and the same Debian release. The program is linked dynamically:
# the slim image brings the Swift runtime, Debian brings libpq with its security updates.
ARG BUILD_IMAGE=swift:6.3.1-bookworm
ARG RUN_IMAGE=swift:6.3.1-bookworm-slim

# hadolint ignore=DL3006
FROM ${BUILD_IMAGE} AS build
# hadolint ignore=DL3008
RUN apt-get update \
  && apt-get install --yes --no-install-recommends libpq-dev libssl-dev zlib1g-dev \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /src
# The dependencies, in a layer of their own: they change less often than the sources.
COPY Package.swift Package.resolve[d] ./
RUN swift package resolve
# The manifest names the test targets and the micro benchmarks, so their folders must be there; none of them is built.
COPY Tests Tests
COPY Benchmarks Benchmarks
COPY sql sql
COPY Sources Sources
RUN swift build -c release --product notify-bridge \
  && install -D -m 0755 "$(swift build -c release --show-bin-path)/notify-bridge" /out/notify-bridge \
  && strip /out/notify-bridge

# hadolint ignore=DL3006
FROM ${RUN_IMAGE} AS run
# hadolint ignore=DL3008
RUN apt-get update \
  && apt-get install --yes --no-install-recommends ca-certificates libpq5 libssl3 zlib1g \
  && rm -rf /var/lib/apt/lists/* \
  && useradd --system --uid 10001 --user-group --home-dir /nonexistent --no-create-home \
    --shell /usr/sbin/nologin notify-bridge
COPY --from=build /out/notify-bridge /usr/local/bin/notify-bridge
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="notify-bridge" \
  org.opencontainers.image.description="Delivers rows of a PostgreSQL table to the browsers of the users they are for" \
  org.opencontainers.image.version="${VERSION}" \
  org.opencontainers.image.revision="${REVISION}" \
  org.opencontainers.image.licenses="MIT"
USER 10001:10001
ENV NOTIFY_BRIDGE_HTTP_HOST=0.0.0.0
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 \
  CMD ["notify-bridge", "check", "--ready"]
ENTRYPOINT ["notify-bridge"]
CMD ["serve"]
