package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"
)

// An authority issues certificates for one test. Its own certificate is the file
// NAME.ca in the site's folder.
type authority struct {
	site   *site
	name   string
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
	serial int64
}

func newAuthority(s *site, name string) *authority {
	s.t.Helper()
	a := &authority{site: s, name: name, serial: 1}
	a.cert, a.key = a.sign(name+".ca", "", &x509.Certificate{
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
	return a
}

// issue makes a certificate for the loopback addresses and localhost, which is
// good for servers and for clients, and returns the files of it and its key.
func (a *authority) issue(name string) (cert, key string) {
	a.site.t.Helper()
	a.sign(name+".crt", name+".key", &x509.Certificate{
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
	})
	return a.path(name + ".crt"), a.path(name + ".key")
}

// sign completes a certificate, signs it (by itself if there is no authority yet), and
// writes it into the site's folder, with its key if a file is named for that.
func (a *authority) sign(certFile, keyFile string, template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	t := a.site.t
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a.serial++
	template.SerialNumber = big.NewInt(a.serial)
	template.Subject = pkix.Name{CommonName: certFile}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := template, key
	if a.cert != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	a.site.record(certFile, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	if keyFile != "" {
		secret, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		a.site.record(keyFile, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})))
	}
	return cert, key
}

func (a *authority) path(name string) string { return filepath.Join(a.site.dir, name) }

// file is the authority's certificate.
func (a *authority) file() string { return a.path(a.name + ".ca") }

// clientConfig is the setting of a client that trusts this authority and shows
// the certificate in these files, if any.
func (a *authority) clientConfig(t *testing.T, files ...string) *tls.Config {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	config := &tls.Config{RootCAs: roots}
	if len(files) == 2 {
		pair, err := tls.LoadX509KeyPair(files[0], files[1])
		if err != nil {
			t.Fatal(err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config
}

// useTLS makes the site's client use TLS with this configuration, and HTTP/2 with
// servers that support it.
func (s *site) useTLS(config *tls.Config) {
	s.before = "https://"
	s.client.Transport = &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true, DisableCompression: true}
}
