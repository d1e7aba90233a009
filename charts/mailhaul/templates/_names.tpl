{{/* The name of what is made: a Service must begin with a letter and have no dot; what helm takes for a release may. */}}
{{- define "mailhaul.name" -}}
{{- $name := replace "." "-" .Release.Name -}}
{{- if not (contains "mailhaul" $name) }}{{ $name = printf "%s-mailhaul" $name }}{{ end -}}
{{- if regexMatch "^[0-9]" $name }}{{ $name = printf "release-%s" $name }}{{ end -}}
{{- $name | trunc 50 | trimAll "-" }}
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

{{/* Our labels with those of the values, of which none takes the place of ours: list of the root and the values' labels. */}}
{{- define "mailhaul.labelsWith" -}}
{{ toYaml (merge (fromYaml (include "mailhaul.labels" (index . 0))) (index . 1)) }}
{{- end }}

{{- define "mailhaul.serviceAccount" -}}
{{- if .Values.serviceAccount.name }}{{ .Values.serviceAccount.name }}{{ else if .Values.serviceAccount.create }}{{ include "mailhaul.name" . }}{{ else }}default{{ end }}
{{- end }}

{{/* An image: list of the values' root and the image's own map. */}}
{{- define "mailhaul.image" -}}
{{- $root := index . 0 }}{{ $image := index . 1 -}}
{{- if $image.digest }}{{ printf "%s%s@%s" $root.Values.imageRegistry $image.repository $image.digest }}{{ else }}{{ printf "%s%s:%s" $root.Values.imageRegistry $image.repository (default $root.Chart.AppVersion $image.tag) }}{{ end }}
{{- end }}
