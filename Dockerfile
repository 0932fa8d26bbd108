# One binary in a small image. The data directory is a volume; everything else is configured by variables:
#   docker build -t postrider .
#   docker run -p 8080:8080 -v postrider:/data -e POSTRIDER__CARRIERS__0__KIND=smpp ... postrider

FROM rust:1.95-slim-bookworm AS build
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev make \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cargo build --release --locked --package postrider

FROM debian:bookworm-slim
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --home-dir /data postrider && install -d -o postrider -m 0700 /data
COPY --from=build /src/target/release/postrider /usr/local/bin/postrider
USER postrider
VOLUME /data
EXPOSE 8080
ENTRYPOINT ["postrider"]
CMD ["serve", "--data-dir", "/data", "--listen", "0.0.0.0:8080", "--log", "json"]
