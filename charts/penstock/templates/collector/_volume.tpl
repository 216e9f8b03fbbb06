{{/* The collector's volume, which Kubernetes lets nobody change through its StatefulSet: said in words, before anything is changed. */}}

{{- /* Bytes of a quantity like 10Gi. Takes the text. */ -}}
{{- define "penstock.bytes" -}}
{{- $units := dict "" 1 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 -}}
{{- $unit := regexFind "[a-zA-Z]*$" . -}}
{{- mulf (trimSuffix $unit . | float64) (get $units $unit) | printf "%.0f" -}}
{{- end }}

{{- define "penstock.volume.unchanged" -}}
{{- $wanted := .Values.collector.persistence -}}
{{- $templated := and $wanted.enabled (not $wanted.existingClaim) -}}
{{- $there := lookup "apps/v1" "StatefulSet" .Release.Namespace "penstock-collector" -}}
{{- if $there -}}
{{- $claim := dict "spec" dict -}}
{{- range $there.spec.volumeClaimTemplates }}{{ $claim = . }}{{ end -}}
{{- $had := $claim.spec.resources -}}
{{- $advice := printf "Kubernetes changes no StatefulSet's volumes. Keep the value, or see docs/operate.md, \"The collector's volume\": kubectl -n %s delete statefulset penstock-collector --cascade=orphan, then upgrade again" .Release.Namespace -}}
{{- if ne (not $had) (not $templated) -}}
{{- fail (printf "collector.persistence: the collector %s a volume of its StatefulSet's, and by the values it %s. %s" (ternary "has" "does not have" (not (not $had))) (ternary "would" "would not" $templated) $advice) -}}
{{- else if $templated -}}
{{- $size := $had.requests.storage -}}
{{- if ne (include "penstock.bytes" $size) (include "penstock.bytes" $wanted.size) -}}
{{- fail (printf "collector.persistence.size: the volume was made with %s, and the values say %s. %s. A volume grows when its claim does: kubectl -n %s patch pvc data-penstock-collector-0 -p '{\"spec\":{\"resources\":{\"requests\":{\"storage\":\"%s\"}}}}'" $size $wanted.size $advice .Release.Namespace $wanted.size) -}}
{{- end -}}
{{- if ne ($claim.spec.storageClassName | default "") $wanted.storageClassName -}}
{{- fail (printf "collector.persistence.storageClassName: the volume was made with %s, and the values say %s. %s" ($claim.spec.storageClassName | default "the cluster's default") ($wanted.storageClassName | default "the cluster's default") $advice) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}
