{{- /* A gateway with what it leaves to gatewayDefaults, as YAML. Takes (dict "root" $ "gateway" GATEWAY). */ -}}
{{- define "penstock.gateway" -}}
{{- $gateway := mergeOverwrite (deepCopy .root.Values.gatewayDefaults) .gateway -}}
{{- $_ := set $gateway "namespace" (.gateway.namespace | default .root.Release.Namespace) -}}
{{- $_ := set $gateway "object" (printf "penstock-gateway-%s" .gateway.name) -}}
{{- toYaml $gateway -}}
{{- end }}

{{- /* What never changes, for selectors. Takes (dict "root" $ "gateway" GATEWAY). */ -}}
{{- define "penstock.gateway.selector" -}}
{{ include "penstock.selector" (dict "root" .root "component" "gateway") }}
penstock.dev/gateway: {{ .gateway.name }}
{{- end }}

{{- /* All that `penstock proxy` is told, but for what only the pod knows. Takes (dict "root" $ "gateway" GATEWAY). */ -}}
{{- define "penstock.gateway.settings" -}}
{{- $space := .root.Release.Namespace -}}
{{- $run := "/var/run/penstock" -}}
{{- $control := printf "https://penstock-control.%s.svc:8443" $space -}}
listen: 0.0.0.0:5432
health: 0.0.0.0:9187
namespace: {{ .gateway.namespace }}
databases:
  {{- range .gateway.databases }}
  - name: {{ .name }}
    credentialsDir: {{ $run }}/credentials/{{ .name }}
    credentialsSecret: {{ .credentialsSecret }}
    {{- if .caSecret }}
    upstreamCaFile: {{ $run }}/upstream-ca/{{ .name }}/ca.crt
    {{- end }}
  {{- end }}
control:
  url: {{ $control }}
  tokenFile: {{ $run }}/identity/control-token
  caFile: {{ $run }}/identity/ca.crt
  {{- with .gateway.policyMaxAgeSeconds }}
  maxAgeSeconds: {{ int64 . }}
  {{- end }}
approvals: {url: {{ $control | quote }}, tokenFile: {{ $run }}/identity/control-token, caFile: {{ $run }}/identity/ca.crt}
collector:
  url: https://penstock-collector.{{ $space }}.svc:8080
  tokenFile: {{ $run }}/identity/collector-token
  caFile: {{ $run }}/identity/ca.crt
tls: {certFile: {{ $run }}/identity/tls.crt, keyFile: {{ $run }}/identity/tls.key, required: true}
# Nobody is anonymous here, whatever the values say.
identity:
  required: true
  login: {{ .gateway.login }}
  issuers: {{ toYaml .gateway.issuers | nindent 4 }}
spool: {path: /var/lib/penstock/spool, maxBytes: {{ int64 .gateway.spoolBytes }}, lasts: false}
graceSeconds: {{ int64 .gateway.drainSeconds }}
{{- end }}
