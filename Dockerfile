# nginx of Debian, unpatched, with Upsync in front of it. The only thing to add is a configuration:
#     docker run -v ./nginx.conf:/etc/nginx/nginx.conf:ro -p 80:80 upsync

FROM node:22-bookworm-slim AS build
WORKDIR /src
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json tsconfig.lua.json README.md CHANGELOG.md LICENSE ./
COPY scripts scripts
COPY docs docs
COPY examples examples
COPY src src
RUN mkdir /pack && npm pack --pack-destination /pack

FROM node:22-bookworm-slim
RUN apt-get update \
  && apt-get install -y --no-install-recommends nginx libnginx-mod-http-lua \
  && rm -rf /var/lib/apt/lists/* \
  && ln -sf /dev/stdout /var/log/nginx/access.log \
  && ln -sf /dev/stderr /var/log/nginx/error.log
WORKDIR /opt/upsync
COPY --from=build /pack /pack
RUN npm install --no-audit --no-fund /pack/upsync-*.tgz \
  && rm -r /pack \
  && npm cache clean --force \
  && ln -s /opt/upsync/node_modules/.bin/upsync /usr/local/bin/upsync
ENV NODE_ENV=production UPSYNC_LOG_FORMAT=json
EXPOSE 80
# nginx's graceful end: what is under way is finished first.
STOPSIGNAL SIGQUIT
HEALTHCHECK --interval=30s --timeout=10s --start-period=10s CMD ["upsync", "show"]
ENTRYPOINT ["upsync"]
CMD ["nginx", "-g", "daemon off;"]
