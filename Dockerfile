# The image of notify-bridge: `docker build -t notify-bridge .`
#
# Both bases can be swapped: --build-arg BUILD_IMAGE=… --build-arg RUN_IMAGE=…
# They must have the same Debian release. The program has the Swift runtime in it, unless it was linked dynamically: then
# RUN_IMAGE has to bring the runtime. Debian brings libpq and OpenSSL with their security updates.
#
# --target dev makes an image with a PostgreSQL in it, for trying things: Documentation/install.md, "With Docker".
ARG BUILD_IMAGE=swift:6.3.1-bookworm
ARG RUN_IMAGE=swift:6.3.1-bookworm-slim

# hadolint ignore=DL3006
FROM ${BUILD_IMAGE} AS build
# hadolint ignore=DL3008
RUN apt-get update \
  && apt-get install --yes --no-install-recommends libpq-dev libssl-dev python3 zlib1g-dev \
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
RUN swift build -c release --static-swift-stdlib --product notify-bridge \
  && install -D -m 0755 "$(swift build -c release --static-swift-stdlib --show-bin-path)/notify-bridge" /out/notify-bridge \
  && strip /out/notify-bridge
COPY LICENSE ./
COPY Packaging/sbom.py Packaging/
RUN version=$(/out/notify-bridge --version) && Packaging/sbom.py "${version#* }" >/out/notify-bridge.spdx.json

# hadolint ignore=DL3006
FROM ${RUN_IMAGE} AS root
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
COPY --from=build /out/notify-bridge /usr/local/bin/notify-bridge
# The list of its parts, beside the licences of Debian's packages.
COPY --from=build /out/*.spdx.json /usr/share/doc/notify-bridge/
# Of the base stays what the program needs: neither what Swift's image has for other programs, nor manuals, nor programs
# that change the user.
# hadolint ignore=DL3008
RUN apt-get update \
  && apt-get install --yes --no-install-recommends ca-certificates libpq5 libssl3 libstdc++6 zlib1g \
  && apt-get purge --yes --auto-remove libcurl4 libxml2 \
  && useradd --system --uid 10001 --user-group --home-dir /nonexistent --no-create-home \
    --shell /usr/sbin/nologin notify-bridge \
  && linked=$(ldd /usr/local/bin/notify-bridge | awk '$3 ~ /\/swift\// { printf "! -path %s ", $3 }') \
  && mkdir -p /usr/lib/swift \
  && find /usr/lib/swift -type f ${linked:+${linked}} -delete \
  && find / -xdev -perm /6000 -type f -exec chmod a-s {} + \
  && find /usr/share/doc -type f ! -name copyright ! -name '*.spdx.json' -delete \
  && find /var/log /var/cache -type f -delete \
  && rm -rf /usr/share/man /usr/share/info /usr/share/locale /var/lib/apt/lists/*

# A bridge with a private PostgreSQL and the demo page.
FROM root AS dev
# hadolint ignore=DL3008
RUN apt-get update \
  && apt-get install --yes --no-install-recommends postgresql-common \
  && sed --in-place 's/#create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf \
  && apt-get install --yes --no-install-recommends postgresql-15 \
  && rm -rf /var/lib/apt/lists/* \
  && install --directory --owner 10001 --group 10001 --mode 0700 /var/lib/notify-bridge-dev
USER 10001:10001
ENV NOTIFY_BRIDGE_HTTP_HOST=0.0.0.0
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["notify-bridge", "check", "--live"]
ENTRYPOINT ["notify-bridge", "dev", "--in-container", "--data-dir", "/var/lib/notify-bridge-dev"]

# One layer: what was removed above takes no room.
FROM scratch AS run
# hadolint ignore=DL3067
COPY --from=root / /
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="notify-bridge" \
  org.opencontainers.image.description="Delivers rows of a PostgreSQL table to the browsers of the users they are for" \
  org.opencontainers.image.version="${VERSION}" \
  org.opencontainers.image.revision="${REVISION}" \
  org.opencontainers.image.licenses="MIT"
USER 10001:10001
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin NOTIFY_BRIDGE_HTTP_HOST=0.0.0.0
EXPOSE 8080
STOPSIGNAL SIGTERM
# Of liveness: what restarts unhealthy containers must not drop the sockets of a bridge that waits for its database. The
# check prints what is not ready.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 \
  CMD ["notify-bridge", "check", "--live"]
ENTRYPOINT ["notify-bridge"]
CMD ["serve"]
