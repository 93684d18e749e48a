# nginx of Debian, unpatched, with Upsync in front of it. The only thing to add is a configuration:
#     docker run -v ./nginx.conf:/etc/nginx/nginx.conf:ro -v upsync:/var/lib/upsync -p 80:80 upsync

FROM node:22-bookworm-slim AS build
WORKDIR /src
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json tsconfig.lua.json README.md CHANGELOG.md LICENSE ./
COPY scripts scripts
COPY docs docs
COPY examples examples
COPY src src
# The package as it is published, with its dependencies in the versions of the lock file: those the tests ran with.
RUN mkdir /pack /opt/upsync \
  && npm pack --pack-destination /pack \
  && tar -xzf /pack/upsync-*.tgz -C /opt/upsync --strip-components=1 \
  && npm prune --omit=dev --no-audit --no-fund \
  && mv node_modules /opt/upsync/

FROM node:22-bookworm-slim
# /var/lib/upsync is for dump files (upsync_dump_path): on a volume they outlive the container.
RUN apt-get update \
  && apt-get install -y --no-install-recommends nginx libnginx-mod-http-lua \
  && rm -rf /var/lib/apt/lists/* \
  && ln -sf /dev/stdout /var/log/nginx/access.log \
  && ln -sf /dev/stderr /var/log/nginx/error.log \
  && mkdir /var/lib/upsync
COPY --from=build /opt/upsync /opt/upsync
RUN ln -s /opt/upsync/dist/sidecar/main.js /usr/local/bin/upsync
ENV NODE_ENV=production UPSYNC_LOG_FORMAT=json
EXPOSE 80
# nginx's graceful end: what is under way is finished first.
STOPSIGNAL SIGQUIT
HEALTHCHECK --interval=30s --timeout=10s --start-period=10s CMD ["upsync", "show"]
ENTRYPOINT ["upsync"]
CMD ["nginx", "-g", "daemon off;"]
