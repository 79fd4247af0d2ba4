{{- define "odrwatch.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "odrwatch.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "odrwatch.selectorLabels" -}}
app.kubernetes.io/name: {{ include "odrwatch.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "odrwatch.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "odrwatch.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "odrwatch.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "odrwatch.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{/* odrwatch.yaml: what the values say, and the files of the secrets. */}}
{{- define "odrwatch.config" -}}
{{- $config := deepCopy .Values.config }}
{{- $files := dict }}
{{- range $property, $ref := .Values.kafkaSecrets }}
{{- $_ := set $files $property (printf "/etc/odrwatch/secrets/%s" $property) }}
{{- end }}
{{- if $files }}
{{- $kafka := default dict $config.kafka }}
{{- $_ := set $kafka "properties_file" (merge $files (default dict $kafka.properties_file)) }}
{{- $_ := set $config "kafka" $kafka }}
{{- end }}
{{- toYaml $config }}
{{- end }}
