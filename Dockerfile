# lmviz on the CPU, for one machine and the people whom the README's "A server for several people" speaks of.
FROM python:3.11-slim

# Where torch's CPU builds are, as pytorch.org gives it: without it, pip brings several GB for graphics cards.
ARG CPU_INDEX
RUN test -n "$CPU_INDEX" || { echo "Say where torch's CPU builds are: --build-arg CPU_INDEX=ADDRESS" >&2; exit 1; }
COPY requirements.txt /lmviz/
# Other people's tests and headers are a fifth of all that; they go in the step that brings them, or the image keeps them.
RUN pip install --no-cache-dir torch==2.13.0 --index-url "$CPU_INDEX" \
    && pip install --no-cache-dir -r /lmviz/requirements.txt \
    && cd /usr/local/lib/python3.11/site-packages \
    && find . \( -path "./torch/include" -o -path "./torch/test" -o -path "./torch/bin/*[Tt]est*" \
         -o -path "./torch/bin/protoc*" -o -path "./pyarrow/include" -o -type d -name tests \) -prune -exec rm -rf {} +

WORKDIR /lmviz
COPY . .
RUN pip install --no-cache-dir --no-deps . && useradd --create-home lmviz && install --directory --owner lmviz /runs

USER lmviz
WORKDIR /home/lmviz
VOLUME /runs
ENV LMVIZ_RUNS=/runs
ENV STREAMLIT_SERVER_ADDRESS=0.0.0.0
EXPOSE 8501
HEALTHCHECK --start-period=30s CMD python -c "from urllib.request import urlopen; urlopen('http://127.0.0.1:8501/_stcore/health', timeout=2)"
CMD ["lmviz", "--port", "8501", "--no-browser"]
