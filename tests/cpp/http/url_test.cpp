#include "url.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

#include "proxy.hpp"

namespace filetree::http {
namespace {

TEST(UrlTest, PartsAreTakenApart) {
    const Url url("HTTP://user:secret@Example.org:8080/a/../b?key=value#part");
    EXPECT_EQ(url.scheme(), "http");
    EXPECT_EQ(url.text().find('#'), std::string::npos);
    EXPECT_EQ(url.printable().find("secret"), std::string::npos);
    EXPECT_EQ(url.printable().find("user"), std::string::npos);
    EXPECT_EQ(url.printable().find("value"), std::string::npos);
    EXPECT_EQ(Url("http://[2001:db8::1]:80/").host(), "2001:db8::1");
}

TEST(UrlTest, AnOriginIsSchemeHostAndPort) {
    EXPECT_EQ(Url("http://h/a").origin(), Url("http://u:p@h:80/b?c").origin());
    EXPECT_NE(Url("http://h/").origin(), Url("https://h/").origin());
    EXPECT_NE(Url("http://h/").origin(), Url("http://h:81/").origin());
    EXPECT_NE(Url("http://h/").origin(), Url("http://g.h/").origin());
}

TEST(UrlTest, ARedirectKeepsCredentialsAtItsOriginOnly) {
    const Url url("http://u:p@h/a/b?c");
    EXPECT_EQ(url.resolve("d").text(), "http://u:p@h/a/d");
    EXPECT_EQ(url.resolve("/d#e").text(), "http://u:p@h/d");
    EXPECT_EQ(url.resolve("http://h/d").text(), "http://u:p@h/d");
    EXPECT_EQ(url.resolve("http://v:q@h/d").text(), "http://v:q@h/d");
    for (const char* elsewhere : {"http://g/", "//g/", "https://h/", "http://h:81/"}) {
        EXPECT_EQ(url.resolve(elsewhere).text().find("u:p"), std::string::npos) << elsewhere;
    }
}

TEST(UrlTest, OtherSchemesAreRefused) {
    for (const char* text : {"ftp://h/", "file:///etc/passwd", "gopher://h/", "http://", ""}) {
        EXPECT_THROW(Url{text}, std::invalid_argument) << text;
    }
    for (const char* location : {"ftp://h/", "file:///etc/passwd", "gopher://h/_x"}) {
        EXPECT_THROW((void)Url("http://h/").resolve(location), std::invalid_argument) << location;
    }
}

TEST(ProxyTest, TheSchemeTellsWhichOne) {
    const HttpProxies proxies{.http = "http://p:1", .https = "http://p:2", .exceptions = ""};
    EXPECT_EQ(proxy_of(Url("http://h/"), proxies), "http://p:1");
    EXPECT_EQ(proxy_of(Url("https://h/"), proxies), "http://p:2");
    EXPECT_EQ(proxy_of(Url("http://h/"), {}), "");
}

bool is_exception(const std::string& host, const std::string& exceptions) {
    const HttpProxies proxies{.http = "p", .https = "p", .exceptions = exceptions};
    return proxy_of(Url("http://" + host + "/"), proxies).empty();
}

TEST(ProxyTest, ExceptionsAreNamesWithWhatIsBelowThem) {
    EXPECT_TRUE(is_exception("example.org", "x, Example.ORG"));
    EXPECT_TRUE(is_exception("a.b.example.org", "example.org"));
    EXPECT_TRUE(is_exception("a.example.org", ".example.org"));
    EXPECT_TRUE(is_exception("example.org.", "example.org"));
    EXPECT_TRUE(is_exception("anything", "*"));
    EXPECT_FALSE(is_exception("badexample.org", "example.org"));
    EXPECT_FALSE(is_exception("example.org.bad", "example.org"));
    EXPECT_FALSE(is_exception("example.org", " , ,"));
}

TEST(ProxyTest, ExceptionsAreAddressesAndNetworks) {
    EXPECT_TRUE(is_exception("10.1.2.3", "10.0.0.0/8"));
    EXPECT_FALSE(is_exception("11.1.2.3", "10.0.0.0/8"));
    EXPECT_TRUE(is_exception("10.1.2.3", "10.1.2.3"));
    EXPECT_TRUE(is_exception("10.1.2.3", "10.1.2.2/31"));
    EXPECT_FALSE(is_exception("10.1.2.4", "10.1.2.2/31"));
    EXPECT_TRUE(is_exception("[2001:db8::5]", "2001:db8::/32"));
    EXPECT_TRUE(is_exception("[2001:db8::5]", "[2001:db8::5]"));
    EXPECT_FALSE(is_exception("[2001:db9::5]", "2001:db8::/32"));
    for (const char* wrong : {"10.0.0.0/x", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8x"}) {
        EXPECT_FALSE(is_exception("10.0.0.0", wrong)) << wrong;
    }
}

}  // namespace
}  // namespace filetree::http
