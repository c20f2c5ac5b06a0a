# The service in a container: docker build -t v2g . && docker run -e V2G_TOKEN=... -p 8000:8000 -v plans:/data v2g
# `.ci/container` takes the same steps where there is no docker.
FROM python:3.13-slim
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY v2g_linopy v2g_linopy
RUN pip install --no-cache-dir --constraint constraints.txt '.[service,report,excel]'
RUN useradd --system --uid 10001 v2g && install --directory --owner v2g /data && rm -rf /src
USER v2g
WORKDIR /data
VOLUME /data
EXPOSE 8000
HEALTHCHECK CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/readyz')"]
CMD ["v2g", "serve", "--host", "0.0.0.0", "--data", "/data"]
