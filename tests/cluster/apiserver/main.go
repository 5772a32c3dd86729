// Copyright (c) 2026 multisite.skupper_tls contributors
// SPDX-License-Identifier: GPL-3.0-or-later

// Command testapiserver is one Kubernetes API server for tests: etcd and
// kube-apiserver in one process, on loopback, with a data directory of its own.
// There is no kubelet and no controller behind it; what a test writes is what
// stays there.
//
// When it serves it prints one line of JSON on standard output:
//
//	{"kubeconfig": "...", "server": "https://127.0.0.1:PORT", "pid": 123}
//
// Everything else goes to the file "log" in the data directory.
package main

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/pflag"
	etcdserver "go.etcd.io/etcd/server/v3/embed"
	"golang.org/x/sys/unix"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
	"k8s.io/kubernetes/cmd/kube-apiserver/app/options"
	"sigs.k8s.io/yaml"
)

//go:embed crds/*.yaml
var crdFiles embed.FS

const (
	pollInterval = 25 * time.Millisecond
	readyTimeout = 2 * time.Minute
	// A test's teardown should not wait for watches to drain.
	stopTimeout = 3 * time.Second
	// etcd's sockets are named relative to the working directory, which is the
	// data directory: a socket's path may have no more than about 100 bytes, and
	// the data directory of a test can be deeper than that. The ":0" is there
	// because etcd wants "host:port" in its URLs.
	etcdClientURL = "unix://etcd-client:0"
	etcdHTTPURL   = "unix://etcd-http:0"
	etcdPeerURL   = "unix://etcd-peer:0"
)

type config struct {
	dataDir        string
	port           int
	contextName    string
	exitWithParent bool
	removeDataDir  bool
}

func main() {
	var c config
	flag.StringVar(&c.dataDir, "data-dir", "", "directory for everything this cluster writes (required); one that was used before is continued")
	flag.IntVar(&c.port, "port", 0, "port on 127.0.0.1; 0 takes a free one")
	flag.StringVar(&c.contextName, "context", "test", "name of the context in the kubeconfig")
	flag.BoolVar(&c.exitWithParent, "exit-with-parent", false, "exit when standard input ends or the parent process is gone")
	flag.BoolVar(&c.removeDataDir, "remove-data-dir", false, "remove the data directory at exit, if it was made by this program and nothing failed")
	flag.Parse()
	if c.dataDir == "" || flag.NArg() != 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(c); err != nil {
		fmt.Fprintln(os.Stderr, "testapiserver:", err)
		os.Exit(1)
	}
}

func run(c config) error {
	parent := os.Getppid()
	dir, err := filepath.Abs(c.dataDir)
	if err != nil {
		return err
	}
	made, err := makeDataDir(dir)
	if err != nil {
		return err
	}
	if err := os.Chdir(dir); err != nil {
		return err
	}
	// A tight heap: several of these run at once on a small machine, and none has much to do.
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50)
	}

	out, restoreStderr, err := outputToFile(filepath.Join(dir, "log"))
	if err != nil {
		return err
	}
	defer restoreStderr()

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	defer stop()
	if c.exitWithParent {
		ctx = untilParentGone(ctx, parent)
	}

	server, err := start(ctx, c, dir)
	if err != nil {
		if ctx.Err() != nil {
			// Told to stop before it was ready.
			if made && c.removeDataDir {
				return os.RemoveAll(dir)
			}
			return nil
		}
		return fmt.Errorf("%w (log: %s)", err, filepath.Join(dir, "log"))
	}
	ready, err := json.Marshal(map[string]any{"kubeconfig": server.kubeconfig, "server": server.url, "pid": os.Getpid()})
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(out, "%s\n", ready); err != nil {
		return err
	}
	out.Close()
	if err := server.wait(ctx); err != nil {
		return fmt.Errorf("%w (log: %s)", err, filepath.Join(dir, "log"))
	}
	// Not where something failed: the log says why.
	if made && c.removeDataDir {
		return os.RemoveAll(dir)
	}
	return nil
}

// makeDataDir reports whether a testapiserver made the directory, now or before:
// that is what gives us the right to remove it.
func makeDataDir(dir string) (bool, error) {
	marker := filepath.Join(dir, ".testapiserver")
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return false, err
	}
	switch err := os.Mkdir(dir, 0o700); {
	case err == nil:
		return true, os.WriteFile(marker, nil, 0o600)
	case !errors.Is(err, os.ErrExist):
		return false, err
	}
	_, err := os.Stat(marker)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// outputToFile sends file descriptors 1 and 2 to the log: etcd, klog, the Go
// runtime's panics and whatever else writes there. It returns the original
// standard output, and a function that gives standard error back.
func outputToFile(path string) (*os.File, func(), error) {
	log, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, err
	}
	defer log.Close()
	var saved [2]int
	for i, fd := range []int{1, 2} {
		if saved[i], err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3); err != nil {
			return nil, nil, err
		}
		if err := unix.Dup2(int(log.Fd()), fd); err != nil {
			return nil, nil, err
		}
	}
	return os.NewFile(uintptr(saved[0]), "stdout"), func() { _ = unix.Dup2(saved[1], 2) }, nil
}

// untilParentGone ends the context when the parent does. The pipe on standard
// input tells at once; looking at the parent's id covers a pipe whose other end
// a forked sibling still holds. PR_SET_PDEATHSIG would not do: it fires when the
// parent's *thread* ends, and test runners start servers from short-lived threads.
func untilParentGone(ctx context.Context, parent int) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	go func() {
		for ctx.Err() == nil && os.Getppid() == parent {
			time.Sleep(time.Second)
		}
		cancel()
	}()
	return ctx
}

type cluster struct {
	kubeconfig string
	url        string
	etcd       *etcdserver.Etcd
	done       chan error
}

func start(ctx context.Context, c config, dir string) (*cluster, error) {
	pki, err := loadOrMakePKI(filepath.Join(dir, "pki"))
	if err != nil {
		return nil, fmt.Errorf("certificates: %w", err)
	}
	// The listener is opened here and handed over, so there is no moment at which
	// a port that was free can be taken by somebody else.
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", c.port))
	if err != nil {
		return nil, err
	}
	etcd, err := startEtcd(ctx, filepath.Join(dir, "etcd"))
	if err != nil {
		return nil, fmt.Errorf("etcd: %w", err)
	}
	s := &cluster{
		kubeconfig: filepath.Join(dir, "kubeconfig"),
		url:        "https://" + listener.Addr().String(),
		etcd:       etcd,
		done:       make(chan error, 1),
	}
	apiserver, err := newAPIServer(ctx, listener, pki)
	if err != nil {
		return nil, fmt.Errorf("kube-apiserver: %w", err)
	}
	go func() { s.done <- app.Run(ctx, apiserver) }()

	if err := writeKubeconfig(s.kubeconfig, c.contextName, s.url, pki); err != nil {
		return nil, fmt.Errorf("kubeconfig: %w", err)
	}
	client := &rest.Config{
		Host: s.url,
		QPS:  -1,
		TLSClientConfig: rest.TLSClientConfig{
			CAData: pki.ca, CertData: pki.adminCert, KeyData: pki.adminKey,
		},
		Timeout: 10 * time.Second,
	}
	if err := s.prepare(ctx, client); err != nil {
		return nil, err
	}
	return s, nil
}

func startEtcd(ctx context.Context, dir string) (*etcdserver.Etcd, error) {
	var urls [3][]url.URL
	for i, text := range []string{etcdClientURL, etcdHTTPURL, etcdPeerURL} {
		parsed, err := url.Parse(text)
		if err != nil {
			return nil, err
		}
		urls[i] = []url.URL{*parsed}
	}
	cfg := etcdserver.NewConfig()
	cfg.Dir = dir
	cfg.UnsafeNoFsync = true // a test's data need not survive the machine
	cfg.LogLevel = "error"
	cfg.LogOutputs = []string{"stderr"}
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = urls[0], urls[0]
	// Without a socket of its own for HTTP every gRPC connection is sniffed first.
	cfg.ListenClientHttpUrls = urls[1]
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = urls[2], urls[2]
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	// One member elects itself, after this much waiting; the default is a second.
	cfg.TickMs, cfg.ElectionMs = 100, 500
	etcd, err := etcdserver.StartEtcd(cfg)
	if err != nil {
		return nil, err
	}
	select {
	case <-etcd.Server.ReadyNotify():
		return etcd, nil
	case err := <-etcd.Err():
		return nil, err
	case <-ctx.Done():
		etcd.Server.HardStop()
		return nil, ctx.Err()
	}
}

func newAPIServer(ctx context.Context, listener net.Listener, pki *pki) (options.CompletedOptions, error) {
	none := options.CompletedOptions{}
	s := options.NewServerRunOptions()
	fs := pflag.NewFlagSet("kube-apiserver", pflag.ContinueOnError)
	named := s.Flags()
	for _, set := range named.FlagSets {
		fs.AddFlagSet(set)
	}
	err := fs.Parse([]string{
		"--etcd-servers=" + etcdClientURL,
		"--authorization-mode=RBAC",
		"--client-ca-file=" + pki.path(caCertFile),
		"--tls-cert-file=" + pki.path(servingCertFile),
		"--tls-private-key-file=" + pki.path(servingKeyFile),
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + pki.path(serviceAccountKeyFile),
		"--service-account-signing-key-file=" + pki.path(serviceAccountKeyFile),
		"--service-cluster-ip-range=10.96.0.0/16",
		// Without it the server looks for the address of a default route, which
		// a machine for tests need not have.
		"--advertise-address=127.0.0.1",
		// Endpoints of "kubernetes" may not be a loopback address; nothing here reads them.
		"--endpoint-reconciler-type=none",
		// No garbage collector runs: an object deleted in the foreground would wait
		// for one for ever. Said so, the server deletes it at once.
		"--enable-garbage-collector=false",
		"--enable-priority-and-fairness=false",
		"--etcd-count-metric-poll-period=0",
		"--profiling=false",
	})
	if err != nil {
		return none, err
	}
	s.SecureServing.Listener = listener
	s.SecureServing.BindAddress = net.IPv4(127, 0, 0, 1)
	s.SecureServing.BindPort = listener.Addr().(*net.TCPAddr).Port
	// The server's own loopback client need not be warned of what it does itself.
	rest.SetDefaultWarningHandler(rest.NoWarnings{})
	if err := s.GenericServerRunOptions.ComponentGlobalsRegistry.Set(); err != nil {
		return none, err
	}
	completed, err := s.Complete(ctx)
	if err != nil {
		return none, err
	}
	return completed, utilerrors.NewAggregate(completed.Validate())
}

func writeKubeconfig(path, name, server string, pki *pki) error {
	cfg := api.NewConfig()
	cfg.Clusters[name] = &api.Cluster{Server: server, CertificateAuthorityData: pki.ca}
	cfg.AuthInfos[name] = &api.AuthInfo{ClientCertificateData: pki.adminCert, ClientKeyData: pki.adminKey}
	cfg.Contexts[name] = &api.Context{Cluster: name, AuthInfo: name}
	cfg.CurrentContext = name
	return clientcmd.WriteToFile(*cfg, path) // with mode 0600
}

// prepare waits for the server and installs the kinds; it returns when clients see them.
func (s *cluster) prepare(ctx context.Context, client *rest.Config) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	kinds, err := apiextensions.NewForConfig(client)
	if err != nil {
		return err
	}
	disco, err := discovery.NewDiscoveryClientForConfig(client)
	if err != nil {
		return err
	}
	if err := s.until(ctx, "the server answers", func() bool {
		return disco.RESTClient().Get().AbsPath("/livez/ping").Do(ctx).Error() == nil
	}); err != nil {
		return err
	}
	wanted, err := readKinds()
	if err != nil {
		return err
	}
	var group sync.WaitGroup
	failed := make([]error, len(wanted))
	for i, kind := range wanted {
		group.Add(1)
		go func() {
			defer group.Done()
			failed[i] = s.install(ctx, kinds, kind)
		}()
	}
	group.Wait()
	if err := errors.Join(failed...); err != nil {
		return err
	}
	if err := s.until(ctx, "/readyz is ok", func() bool {
		return disco.RESTClient().Get().AbsPath("/readyz").Do(ctx).Error() == nil
	}); err != nil {
		return err
	}
	return s.until(ctx, "discovery lists the kinds and the default namespace is there", func() bool {
		return disco.RESTClient().Get().AbsPath("/api/v1/namespaces/default").Do(ctx).Error() == nil &&
			listed(disco, wanted)
	})
}

func readKinds() ([]*apiextensionsv1.CustomResourceDefinition, error) {
	entries, err := crdFiles.ReadDir("crds")
	if err != nil {
		return nil, err
	}
	var kinds []*apiextensionsv1.CustomResourceDefinition
	for _, entry := range entries {
		text, err := crdFiles.ReadFile("crds/" + entry.Name())
		if err != nil {
			return nil, err
		}
		kind := &apiextensionsv1.CustomResourceDefinition{}
		if err := yaml.UnmarshalStrict(text, kind); err != nil {
			return nil, fmt.Errorf("%s: %w", entry.Name(), err)
		}
		kinds = append(kinds, kind)
	}
	return kinds, nil
}

func (s *cluster) install(ctx context.Context, client apiextensions.Interface, kind *apiextensionsv1.CustomResourceDefinition) error {
	crds := client.ApiextensionsV1().CustomResourceDefinitions()
	var refused error
	err := s.until(ctx, kind.Name+" is established", func() bool {
		found, err := crds.Get(ctx, kind.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			_, err = crds.Create(ctx, kind, metav1.CreateOptions{})
			if apierrors.IsInvalid(err) {
				refused = err
				return true
			}
		}
		if err != nil {
			return false // still starting
		}
		for _, condition := range found.Status.Conditions {
			if condition.Type == apiextensionsv1.Established && condition.Status == apiextensionsv1.ConditionTrue {
				return true
			}
		}
		return false
	})
	return errors.Join(err, refused)
}

// listed asks the way dynamic clients do: an established kind can be missing there for a moment.
func listed(disco *discovery.DiscoveryClient, wanted []*apiextensionsv1.CustomResourceDefinition) bool {
	groups, err := disco.ServerGroups()
	if err != nil {
		return false
	}
	found := map[string]bool{}
	for _, group := range groups.Groups {
		found[group.Name] = true
	}
	resources := map[string]bool{}
	for _, kind := range wanted {
		if !found[kind.Spec.Group] {
			return false
		}
		list, err := disco.ServerResourcesForGroupVersion(kind.Spec.Group + "/" + kind.Spec.Versions[0].Name)
		if err != nil {
			return false
		}
		for _, resource := range list.APIResources {
			resources[resource.Name] = true
		}
		if !resources[kind.Spec.Names.Plural] {
			return false
		}
	}
	return true
}

// until polls, and gives up as soon as the server has ended.
func (s *cluster) until(ctx context.Context, what string, done func() bool) error {
	for !done() {
		select {
		case err := <-s.done:
			s.done <- err
			return fmt.Errorf("kube-apiserver ended before %s: %v", what, err)
		case <-ctx.Done():
			return fmt.Errorf("waiting until %s: %w", what, ctx.Err())
		case <-time.After(pollInterval):
		}
	}
	return nil
}

// wait serves until the context ends, then stops with a limit on how long that may take.
func (s *cluster) wait(ctx context.Context) error {
	select {
	case err := <-s.done:
		return fmt.Errorf("kube-apiserver ended by itself: %w", err)
	case err := <-s.etcd.Err():
		return fmt.Errorf("etcd ended by itself: %w", err)
	case <-ctx.Done():
	}
	limit := time.After(stopTimeout)
	select {
	case <-s.done:
	case <-limit:
		return nil
	}
	closed := make(chan struct{})
	go func() { s.etcd.Close(); close(closed) }()
	select {
	case <-closed:
	case <-limit:
	}
	return nil
}
