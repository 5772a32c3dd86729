// Copyright (c) 2026 multisite.skupper_tls contributors
// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

const (
	caCertFile            = "ca.crt"
	servingCertFile       = "serving.crt"
	servingKeyFile        = "serving.key"
	adminCertFile         = "admin.crt"
	adminKeyFile          = "admin.key"
	serviceAccountKeyFile = "service-account.key"

	lifetime = 30 * 24 * time.Hour
)

// pki is what the server and its administrator identify themselves with.
type pki struct {
	dir                     string
	ca, adminCert, adminKey []byte
}

func (p *pki) path(name string) string { return filepath.Join(p.dir, name) }

// loadOrMakePKI keeps what is there, so that a stopped cluster can be started
// again and its kubeconfig and tokens still work.
func loadOrMakePKI(dir string) (*pki, error) {
	p := &pki{dir: dir}
	// The CA's certificate is written last: where it is, the rest is.
	if _, err := os.Stat(p.path(caCertFile)); errors.Is(err, os.ErrNotExist) {
		if err := p.make(); err != nil {
			return nil, err
		}
	}
	for name, content := range map[string]*[]byte{
		caCertFile: &p.ca, adminCertFile: &p.adminCert, adminKeyFile: &p.adminKey,
	} {
		var err error
		if *content, err = os.ReadFile(p.path(name)); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *pki) make() error {
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return err
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	ca := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "testapiserver CA"},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	caDER, err := issue(ca, ca, &caKey.PublicKey, caKey)
	if err != nil {
		return err
	}
	if ca, err = x509.ParseCertificate(caDER); err != nil {
		return err
	}
	leaves := []struct {
		cert, key string
		template  *x509.Certificate
	}{
		{servingCertFile, servingKeyFile, &x509.Certificate{
			Subject:     pkix.Name{CommonName: "testapiserver"},
			KeyUsage:    x509.KeyUsageDigitalSignature,
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
			DNSNames:    []string{"localhost", "kubernetes", "kubernetes.default.svc"},
			IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		}},
		{adminCertFile, adminKeyFile, &x509.Certificate{
			// The one group that RBAC always lets through.
			Subject:     pkix.Name{CommonName: "admin", Organization: []string{"system:masters"}},
			KeyUsage:    x509.KeyUsageDigitalSignature,
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		}},
	}
	for _, leaf := range leaves {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return err
		}
		der, err := issue(leaf.template, ca, &key.PublicKey, caKey)
		if err != nil {
			return err
		}
		if err := p.writeKey(leaf.key, key); err != nil {
			return err
		}
		if err := p.write(leaf.cert, "CERTIFICATE", der); err != nil {
			return err
		}
	}
	serviceAccountKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	if err := p.writeKey(serviceAccountKeyFile, serviceAccountKey); err != nil {
		return err
	}
	return p.write(caCertFile, "CERTIFICATE", caDER)
}

// issue fills in what strict verifiers (RFC 5280, Python 3.13's default) ask for.
func issue(template, parent *x509.Certificate, public *ecdsa.PublicKey, signer *ecdsa.PrivateKey) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	encoded, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, err
	}
	id := sha256.Sum256(encoded)
	template.SerialNumber = serial.Add(serial, big.NewInt(1))
	template.SubjectKeyId = id[:20]
	template.NotBefore = time.Now().Add(-time.Hour) // a clock may be a little behind
	template.NotAfter = template.NotBefore.Add(lifetime)
	if template == parent {
		// Go leaves the authority key identifier out of a self-signed certificate unless it is set.
		template.AuthorityKeyId = template.SubjectKeyId
	}
	return x509.CreateCertificate(rand.Reader, template, parent, public, signer)
}

// writeKey writes SEC1: kube-apiserver reads no PKCS#8 key for service accounts.
func (p *pki) writeKey(name string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	return p.write(name, "EC PRIVATE KEY", der)
}

func (p *pki) write(name, kind string, der []byte) error {
	return os.WriteFile(p.path(name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}
