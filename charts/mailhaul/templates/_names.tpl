{{- define "mailhaul.name" -}}
{{- if contains "mailhaul" .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-mailhaul" .Release.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "mailhaul.selector" -}}
app.kubernetes.io/name: mailhaul-operator
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "mailhaul.labels" -}}
{{ include "mailhaul.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: mailhaul
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "mailhaul.serviceAccount" -}}
{{- if .Values.serviceAccount.name }}{{ .Values.serviceAccount.name }}{{ else if .Values.serviceAccount.create }}{{ include "mailhaul.name" . }}{{ else }}default{{ end }}
{{- end }}

{{/* An image: list of the values' root and the image's own map. */}}
{{- define "mailhaul.image" -}}
{{- $root := index . 0 }}{{ $image := index . 1 -}}
{{- if $image.digest }}{{ printf "%s%s@%s" $root.Values.imageRegistry $image.repository $image.digest }}{{ else }}{{ printf "%s%s:%s" $root.Values.imageRegistry $image.repository (default $root.Chart.AppVersion $image.tag) }}{{ end }}
{{- end }}
