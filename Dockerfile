# syntax=docker/dockerfile:1

# Mirrors, for builds without a way to the public ones:
#   --build-arg BASE_IMAGE=… --build-arg NPM_REGISTRY=… --build-arg DEBIAN_MIRROR=…
ARG BASE_IMAGE=node:22-bookworm-slim

FROM ${BASE_IMAGE} AS build
ARG NPM_REGISTRY
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund ${NPM_REGISTRY:+--registry="$NPM_REGISTRY"}
COPY prisma.config.ts tsconfig.json tsconfig.build.json ./
COPY scripts ./scripts
COPY prisma ./prisma
COPY src ./src
RUN npm run build

# Without what builds and tests, the embedded PostgreSQL, and Prisma's command line, a peer that run time does not need.
FROM ${BASE_IMAGE} AS dependencies
ARG NPM_REGISTRY
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --omit=optional --omit=peer --ignore-scripts --no-audit --no-fund \
    ${NPM_REGISTRY:+--registry="$NPM_REGISTRY"}

FROM ${BASE_IMAGE}
ARG DEBIAN_MIRROR
# Security updates that are newer than the base image.
RUN if [ -n "$DEBIAN_MIRROR" ]; then \
      sed -i "s|http://deb.debian.org/debian|$DEBIAN_MIRROR|" /etc/apt/sources.list.d/debian.sources; \
    fi \
    && apt-get update \
    && apt-get upgrade -y --no-install-recommends \
    && rm -rf /var/lib/apt/lists/*
ARG REVISION
LABEL org.opencontainers.image.title="bgc-bridge" \
      org.opencontainers.image.description="Vendor backend for Feishu Hire background checks" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.revision="${REVISION}"
ENV NODE_ENV=production
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY package.json LICENSE ./
COPY prisma ./prisma
# A number, so that `runAsNonRoot` can be checked; `node` of the base image. Nothing below /app is written.
USER 1000
EXPOSE 3000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + (process.env.PORT || 3000) + '/healthz').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "dist/main.js"]
