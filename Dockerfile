# The API, the worker and the operator's commands as one image. docs/containers.md says how to build and run it.

# Node in the exact version that npm installs for development (a test compares them), by digest if you give one:
# --build-arg NODE_IMAGE=docker.io/library/node:…@sha256:…
ARG NODE_IMAGE=docker.io/library/node:24.21.0-trixie-slim

FROM ${NODE_IMAGE} AS manifests
WORKDIR /app
COPY package.json package-lock.json ./

# Every package, with the optional ones: the page is built by a native program that is one of them.
FROM manifests AS tools
RUN npm ci --ignore-scripts --no-audit --no-fund

FROM tools AS page
COPY src ./src
COPY web ./web
COPY tsconfig.json ./
RUN npm run web:build && chmod -R a+rX dist

# What compose.yaml runs in place of Amazon SQS and Amazon Cognito. It is built only if asked for: --target development.
FROM tools AS development
COPY src ./src
COPY scripts ./scripts
RUN chmod -R a+rX package.json src scripts && install -d -o 1000 -g 1000 /data
USER 1000:1000
ENTRYPOINT ["node", "scripts/services.ts"]

# Only what runs: Node reads neither types nor TypeScript in node_modules. Licences stay.
FROM manifests AS modules
RUN npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund \
  && find node_modules -type f \( -name '*.ts' -o -name '*.[cm]ts' -o -name '*.map' -o -iname '*.md' \) \
    ! -iname 'licen[cs]e*' ! -iname 'notice*' -delete

# The sources that the processes import, without what only a laptop or the page uses.
FROM manifests AS sources
COPY LICENSE ./
COPY scripts/image-sources.ts ./scripts/
COPY src ./src
RUN node scripts/image-sources.ts image && install -m 644 LICENSE package.json image

FROM ${NODE_IMAGE}
# npm is not needed to run, and is the part of a Node image that needs most security fixes.
RUN rm -rf /opt/yarn* /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack /usr/local/bin/yarn*
WORKDIR /app
COPY --from=modules /app/node_modules ./node_modules
COPY --from=page /app/dist/web ./dist/web
COPY --from=sources /app/image ./
ENV NODE_ENV=production PORT=8080 MANAGEMENT_PORT=9090
EXPOSE 8080 9090
# By number, so that Kubernetes can tell that it is not root. Any other user will do, with or without a name.
USER 1000:1000
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="scoreboard" \
  org.opencontainers.image.description="A live top-10 score board: sign in, do the action, and every open board changes at once." \
  org.opencontainers.image.licenses="MIT" \
  org.opencontainers.image.version="${VERSION}" \
  org.opencontainers.image.revision="${REVISION}"
# Node is process 1: it handles SIGTERM and starts no other processes, so no init is needed.
ENTRYPOINT ["node"]
CMD ["src/main-api.ts"]
