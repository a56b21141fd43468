# docker build -t heatcast . && docker run -p 8000:8000 heatcast serve --demo
#
# Builds with the project's own scripts, and keeps of all that the program, DuckDB's library and the
# libraries of Debian that they need.
FROM debian:12 AS build
WORKDIR /src
COPY scripts ./scripts
RUN apt-get update && apt-get install -y --no-install-recommends make && \
    scripts/install-deps.sh build
COPY . .
RUN make build && mkdir -p /out/lib && cp build/heatcast /out/ && \
    cp "$(scripts/fetch-duckdb.sh)/lib/libduckdb.so" /out/lib/

FROM debian:12-slim
RUN apt-get update && \
    apt-get install -y --no-install-recommends \
        ca-certificates libarchive13 libcurl4 libdeflate0 libhiredis0.14 libjansson4 libssl3 \
        libstdc++6 libuv1 zlib1g && \
    rm -rf /var/lib/apt/lists/* && \
    useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin heatcast && \
    install -d -o heatcast -g heatcast /data
COPY --from=build /out/lib/libduckdb.so /usr/local/lib/
COPY --from=build /out/heatcast /usr/local/bin/
RUN ldconfig && heatcast --version

# The database is in /data, whatever the working directory of whoever starts it.
ENV LISTEN=0.0.0.0:8000 DUCKDB_PATH=/data/heatcast.duckdb
USER heatcast
WORKDIR /data
VOLUME /data
EXPOSE 8000
# Alive, that is; whether it is ready for clients is /readyz.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8000 && printf 'GET /healthz HTTP/1.0\\r\\n\\r\\n' >&3 && head -n 1 <&3 | grep -q ' 200 '"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["heatcast"]
CMD ["serve"]
