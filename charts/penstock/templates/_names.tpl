{{- define "penstock.labels" -}}
app.kubernetes.io/name: penstock
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* What never changes, for selectors. Takes (dict "root" $ "component" NAME). */ -}}
{{- define "penstock.selector" -}}
app.kubernetes.io/name: penstock
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "penstock.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{- /* All that the restricted Pod Security Standard asks for. */ -}}
{{- define "penstock.securityContext" -}}
allowPrivilegeEscalation: false
capabilities: {drop: [ALL]}
readOnlyRootFilesystem: true
runAsNonRoot: true
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- /* What the pods of all programs have in common. Takes (dict "root" $ "values" VALUES). */ -}}
{{- define "penstock.pod" -}}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- /* Gateways have some of their own. */}}
{{- if hasKey .values "topologySpreadConstraints" | and (not (hasKey .values "databases")) }}
{{- with .values.topologySpreadConstraints }}
topologySpreadConstraints: {{ toYaml . | nindent 2 }}
{{- end }}
{{- end }}
# Services named like ours would otherwise set variables that are our settings' names.
enableServiceLinks: false
{{- end }}

{{- /* What all programs have among their variables. Those of the values come first, so that the chart's own win. Takes (dict "root" $ "values" VALUES). */ -}}
{{- define "penstock.env" -}}
{{- with .values.extraEnv }}
{{- toYaml . }}
{{ end -}}
- {name: PENSTOCK_LOG_LEVEL, value: {{ .root.Values.logLevel }}}
- {name: PENSTOCK_LOG_FORMAT, value: json}
{{- end }}

{{- /* Where people reach the collector's pages. */ -}}
{{- define "penstock.collector.host" -}}
{{- $url := urlParse .Values.collector.publicUrl -}}
{{- if ne $url.scheme "https" }}{{ fail "collector.publicUrl: collector.ingress and collector.httpRoute take the name from there, and it has to begin with https://" }}{{ end -}}
{{- $url.hostname -}}
{{- end }}
