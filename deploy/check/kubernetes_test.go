package check

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"
)

// manifest is what ../kubernetes/sluice.yaml has.
type manifest struct {
	services map[string]corev1.Service
	budget   policyv1.PodDisruptionBudget
	set      appsv1.StatefulSet
}

// readManifest reads it as the API server does: an unknown field is an error.
func readManifest(t *testing.T) manifest {
	t.Helper()
	text, err := os.ReadFile("../kubernetes/sluice.yaml")
	if err != nil {
		t.Fatal(err)
	}
	m := manifest{services: map[string]corev1.Service{}}
	for document := range bytes.SplitSeq(text, []byte("\n---\n")) {
		var kind metav1.TypeMeta
		if err := yaml.Unmarshal(document, &kind); err != nil {
			t.Fatal(err)
		}
		var service corev1.Service
		into := map[string]any{"Service": &service, "PodDisruptionBudget": &m.budget, "StatefulSet": &m.set}[kind.Kind]
		if into == nil {
			t.Fatalf("unexpected kind %q", kind.Kind)
		}
		if err := yaml.UnmarshalStrict(document, into); err != nil {
			t.Fatalf("%s: %v", kind.Kind, err)
		}
		if kind.Kind == "Service" {
			m.services[service.Name] = service
		}
	}
	return m
}

func TestKubernetes(t *testing.T) {
	m := readManifest(t)
	pod := m.set.Spec.Template
	if len(pod.Spec.Containers) != 1 {
		t.Fatalf("%d containers", len(pod.Spec.Containers))
	}
	c := pod.Spec.Containers[0]
	has := labels.Set(pod.Labels)
	for name, s := range m.services {
		if !labels.SelectorFromSet(s.Spec.Selector).Matches(has) {
			t.Errorf("service %s does not select the gateways", name)
		}
		for _, p := range s.Spec.Ports {
			if !slices.ContainsFunc(c.Ports, func(cp corev1.ContainerPort) bool {
				return cp.Name == p.TargetPort.String() && cp.ContainerPort == p.Port
			}) {
				t.Errorf("service %s leads to port %s, which nobody has", name, p.TargetPort.String())
			}
		}
	}
	for what, selector := range map[string]*metav1.LabelSelector{
		"the set": m.set.Spec.Selector, "the budget": m.budget.Spec.Selector,
		"the anti-affinity": pod.Spec.Affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution[0].LabelSelector,
	} {
		s, err := metav1.LabelSelectorAsSelector(selector)
		if err != nil || !s.Matches(has) {
			t.Errorf("%s does not select the gateways: %v", what, err)
		}
	}
	members := m.services[m.set.Spec.ServiceName]
	if members.Spec.ClusterIP != corev1.ClusterIPNone || !members.Spec.PublishNotReadyAddresses {
		t.Errorf("the members do not find each other before they are ready: %+v", members.Spec)
	}
	if m.set.Spec.PodManagementPolicy != appsv1.ParallelPodManagement {
		t.Error("the first of them would wait for the others, who are not started")
	}
	if n := m.budget.Spec.MaxUnavailable.IntValue(); n != 1 {
		t.Errorf("%d of three may be taken away at once", n)
	}
	sleep := c.Lifecycle.PreStop.Sleep.Seconds
	if grace := *pod.Spec.TerminationGracePeriodSeconds; grace < sleep+25 {
		t.Errorf("killed after %d s, %d of which it sleeps", grace, sleep)
	}
	if s := c.SecurityContext; *s.AllowPrivilegeEscalation || !*s.ReadOnlyRootFilesystem || !*pod.Spec.SecurityContext.RunAsNonRoot {
		t.Error("it may do more than it has to")
	}
}

// Each flag is one that the gateway has, and the peers are the pods.
func TestKubernetesFlags(t *testing.T) {
	m := readManifest(t)
	files, err := filepath.Glob("../../cmd/sluice/*flags.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files with flags: %v", err)
	}
	var flags strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		flags.Write(text)
	}
	args := m.set.Spec.Template.Spec.Containers[0].Args
	if args[0] != "serve" {
		t.Errorf("runs %q", args[0])
	}
	value := map[string]string{}
	for _, arg := range args[1:] {
		name, v, ok := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
		if ok == strings.Contains(flags.String(), `BoolFlag{Name: "`+name+`"`) || !strings.Contains(flags.String(), `Flag{Name: "`+name+`"`) {
			t.Errorf("%s is not a flag, or should have a value or none", arg)
		}
		value[name] = v
	}
	service := m.set.Spec.ServiceName
	var peers []string
	for i := range *m.set.Spec.Replicas {
		peers = append(peers, m.set.Name+"-"+string('0'+i)+"."+service+":6222")
	}
	if value["cluster.peers"] != strings.Join(peers, ",") {
		t.Errorf("the peers are %s, want %v", value["cluster.peers"], peers)
	}
	if value["cluster.advertise"] != "$(POD_NAME)."+service+":6222" {
		t.Errorf("a member calls itself %s", value["cluster.advertise"])
	}
}
