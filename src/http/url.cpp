#include "url.hpp"

#include <new>
#include <stdexcept>
#include <utility>

#include "lowercase.hpp"

namespace filetree::http {
namespace {

void set(CURLU* handle, CURLUPart part, const char* value, unsigned flags = 0) {
    const CURLUcode code = curl_url_set(handle, part, value, flags);
    if (code == CURLUE_OUT_OF_MEMORY) throw std::bad_alloc();
    if (code != CURLUE_OK) throw std::invalid_argument(curl_url_strerror(code));
}

std::string part(CURLU* handle, CURLUPart which, unsigned flags = 0) {
    char* value = nullptr;
    const CURLUcode code = curl_url_get(handle, which, &value, flags);
    if (code == CURLUE_OUT_OF_MEMORY) throw std::bad_alloc();
    if (code != CURLUE_OK) return {};  // there is none
    std::string text = value;
    curl_free(value);
    return text;
}

}  // namespace

Url::Url(const std::string& text)
    : Url([&] {
          Handle handle(curl_url());
          if (!handle) throw std::bad_alloc();
          set(handle.get(), CURLUPART_URL, text.c_str(), CURLU_URLENCODE);
          return handle;
      }()) {}

Url::Url(Handle handle)
    : handle_(std::move(handle)), scheme_(part(handle_.get(), CURLUPART_SCHEME)) {
    if (scheme_ != "http" && scheme_ != "https") {
        throw std::invalid_argument("not an http or https URL");
    }
    set(handle_.get(), CURLUPART_FRAGMENT, nullptr);
    text_ = part(handle_.get(), CURLUPART_URL);
    host_ = lowercase(part(handle_.get(), CURLUPART_HOST));
    const std::string port = part(handle_.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT);
    origin_ = scheme_ + "://" + host_ + ":" + port;
    if (host_.starts_with('[')) host_ = host_.substr(1, host_.size() - 2);

    const Handle shown(curl_url_dup(handle_.get()));
    if (!shown) throw std::bad_alloc();
    for (const CURLUPart hidden :
         {CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_OPTIONS, CURLUPART_QUERY}) {
        set(shown.get(), hidden, nullptr);
    }
    const bool has_query = !part(handle_.get(), CURLUPART_QUERY).empty();
    printable_ = part(shown.get(), CURLUPART_URL) + (has_query ? "?..." : "");
}

Url Url::resolve(const std::string& location) const {
    Handle handle(curl_url_dup(handle_.get()));
    if (!handle) throw std::bad_alloc();
    set(handle.get(), CURLUPART_URL, location.c_str(), CURLU_URLENCODE);
    Url target(std::move(handle));
    if (target.origin_ != origin_) return target;
    // An absolute one leads to the same server without its credentials.
    handle.reset(curl_url_dup(target.handle_.get()));
    if (!handle) throw std::bad_alloc();
    if (!part(handle.get(), CURLUPART_USER).empty()) return target;
    for (const CURLUPart which : {CURLUPART_USER, CURLUPART_PASSWORD}) {
        const std::string mine = part(handle_.get(), which);
        if (!mine.empty()) set(handle.get(), which, mine.c_str());
    }
    return Url(std::move(handle));
}

}  // namespace filetree::http
