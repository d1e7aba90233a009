# Both images of Mailhaul: --target relay, --target operator. docker, podman and buildah build it.
# BASE_IMAGE: any Debian 12 image with Python 3.11 or later and its venv module; name a mirror of yours in full here.
ARG BASE_IMAGE=python:3.11-slim-bookworm

# The wheel of the project, built with locked tools.
FROM ${BASE_IMAGE} AS wheel
WORKDIR /src
COPY requirements/build.lock requirements/build.lock
RUN python3 -m venv /tools && /tools/bin/pip install --quiet --no-cache-dir --require-hashes -r requirements/build.lock
COPY pyproject.toml README.md ./
COPY relay relay
COPY operator operator
RUN /tools/bin/python -m hatchling build -t wheel -d /wheels

# The environment that is shipped: locked dependencies by hash, no pip. It is compiled here, for at run time the root
# is read-only; `unchecked-hash` files hold whatever times the layers get.
FROM ${BASE_IMAGE} AS environment
RUN python3 -m venv /tools && python3 -m venv --without-pip /opt/mailhaul
COPY requirements/runtime.lock /requirements/runtime.lock
RUN /tools/bin/pip --python /opt/mailhaul/bin/python install --quiet --no-cache-dir --no-compile --require-hashes -r /requirements/runtime.lock
COPY --from=wheel /wheels /wheels
RUN /tools/bin/pip --python /opt/mailhaul/bin/python install --quiet --no-cache-dir --no-compile --no-deps --no-index /wheels/*.whl \
 && /opt/mailhaul/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/mailhaul/lib

# The same with what only the operator needs: a relay has no Kubernetes client to be misused.
FROM environment AS operator-environment
COPY requirements/operator.lock /requirements/operator.lock
RUN /tools/bin/pip --python /opt/mailhaul/bin/python install --quiet --no-cache-dir --no-compile --require-hashes -r /requirements/operator.lock \
 && /opt/mailhaul/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/mailhaul/lib

FROM ${BASE_IMAGE} AS base
# Some base images ship the standard library uncompiled; every start would compile it anew.
RUN python3 -m compileall -q -x '/(test|tests|idlelib|lib2to3|turtledemo|ensurepip|site-packages|dist-packages)/' \
      "$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')" \
 && echo 'mailhaul:x:65532:' >>/etc/group && echo 'mailhaul:x:65532:65532::/nonexistent:/usr/sbin/nologin' >>/etc/passwd \
 && mkdir -p /var/spool/mailhaul /etc/mailhaul && chown 65532:65532 /var/spool/mailhaul && chmod 0700 /var/spool/mailhaul
ENV PATH=/opt/mailhaul/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1
# A number, so that a kubelet can see that it is not root; it takes the group from /etc/passwd, else that is root's.
USER 65532:65532
WORKDIR /
ENTRYPOINT ["/opt/mailhaul/bin/mailhaul"]

FROM base AS operator
COPY --from=operator-environment /opt/mailhaul /opt/mailhaul
LABEL org.opencontainers.image.title="mailhaul-operator" \
      org.opencontainers.image.description="Runs a cluster's mail relays from three resources"
EXPOSE 8080 9090
CMD ["operator"]

# Last, so that a build without --target gives the relay.
FROM base AS relay
COPY --from=environment /opt/mailhaul /opt/mailhaul
LABEL org.opencontainers.image.title="mailhaul-relay" \
      org.opencontainers.image.description="A mail relay whose 250 means durable"
VOLUME ["/var/spool/mailhaul"]
EXPOSE 2525 2587 2465 9090
CMD ["relay", "serve", "--config", "/etc/mailhaul/config/relay.v1.json", "--secrets", "/etc/mailhaul/secrets"]
