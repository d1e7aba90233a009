{{/* What the operator does in a namespace that it serves, and no more (tests/meta/test_rights.py). No wildcard, no
     `patch` of pods, and no list of Secrets but in namespaces that were listed by name. */}}
{{- define "mailhaul.rules" -}}
- apiGroups: [mailhaul.dev]
  resources: [smtprelays, upstreamproviders, mailaliases]
  verbs: [list, watch]
- apiGroups: [mailhaul.dev]
  resources: [smtprelays/status, upstreamproviders/status, mailaliases/status]
  verbs: [patch]
- apiGroups: [""]
  resources: [configmaps, services, serviceaccounts]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [secrets]
  verbs: {{ if .Values.namespaces }}[get, list, watch, create, patch]{{ else }}[get, create, patch]{{ end }}
- apiGroups: [""]
  resources: [pods]   # get: a replica that lost its labels is in no list
  verbs: [get, list, watch]
- apiGroups: [""]
  resources: [pods/status]   # an annotation there makes the kubelet look at its mounts; it cannot change an image
  verbs: [patch]
- apiGroups: [""]
  resources: [persistentvolumeclaims]   # to grow them
  verbs: [list, patch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
- apiGroups: [apps]
  resources: [statefulsets, deployments]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [apps]
  resources: [replicasets]   # which pods are of a Deployment's newest revision
  verbs: [list]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [external-secrets.io]
  resources: [externalsecrets]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [monitoring.coreos.com]
  resources: [servicemonitors]
  verbs: [get, list, watch, create, patch, delete]
{{- end }}

{{/* What it reads outside of namespaces, in either mode. */}}
{{- define "mailhaul.clusterRules" -}}
- apiGroups: [storage.k8s.io]
  resources: [storageclasses]   # may a volume grow
  verbs: [get]
- apiGroups: [""]
  resources: [namespaces]   # labels, for a relay's consent to aliases by selector
  verbs: [get]
{{- end }}
